// Share sessions (KIP-932): what each member fetches, from one ShareFetch to the next.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/share/state.hpp"

namespace kq::share {

struct TopicPartition {
  Uuid topic_id;
  int32_t partition = 0;

  auto operator<=>(const TopicPartition&) const = default;
};

struct Member {
  std::string group, id;

  auto operator<=>(const Member&) const = default;
};

// The sessions of a broker, bounded by group.share.max.share.sessions.  Any thread.
class ShareSessions {
 public:
  static constexpr int32_t first_epoch = 0, final_epoch = -1;

  explicit ShareSessions(size_t sessions_max) : sessions_max_(sessions_max) {}

  struct Ask {
    int32_t epoch = 0;
    bool acknowledges = false;  // there are acknowledgements in the request
    std::vector<TopicPartition> add, forget;
    uint64_t connection = 0;
  };
  struct Fetch {
    Code code = Code::none;
    std::vector<TopicPartition> partitions;  // to fetch, the one that came last the time before first
    bool subsequent = false;                 // what has nothing to say is left out of the answer
  };
  // A session's beginning, its next fetch, or, with the final epoch, the fetch before its end(): then there is nothing to fetch.
  Fetch fetch(const Member&, const Ask&);
  // A ShareAcknowledge's epoch.
  Code acknowledge(const Member&, int32_t epoch);
  // What it fetched; nothing: there is no such session.
  std::optional<std::vector<TopicPartition>> end(const Member&);
  // The member whose session this connection carries.
  std::vector<Member> of_connection(uint64_t connection) const;
  bool any_of(std::string_view group) const;
  size_t size() const;

 private:
  struct Session {
    int32_t epoch = 1;  // that the next request has to bear
    uint64_t connection = 0;
    std::vector<TopicPartition> partitions;
  };
  Code advance(Session&, int32_t epoch);

  const size_t sessions_max_;
  mutable std::mutex mutex_;
  std::map<Member, Session> sessions_;
};

}  // namespace kq::share
