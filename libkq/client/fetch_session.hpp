// An incremental fetch session with one broker (KIP-227): the broker remembers what is asked for, a request tells what has changed.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "libkq/base/uuid.hpp"
#include "libkq/protocol/messages/fetch.hpp"

namespace kq::client {

// What a session asks for of one partition.  The name is shared: a session forgets a partition only after its consumer has.
struct FetchSpot {
  std::shared_ptr<const std::string> topic;
  Uuid topic_id{};
  int32_t partition = 0;
  int64_t offset = 0;
  int32_t leader_epoch = -1;
  int32_t last_epoch = -1;                         // of the record before `offset`

  bool same_as(const FetchSpot& other) const {
    return offset == other.offset && leader_epoch == other.leader_epoch && topic_id == other.topic_id;
  }
};

class FetchSession {
 public:
  using Key = uint64_t;                            // the caller's number for a partition, never used for another one

  // From the next request on: ask for this, or (with forget) no more.
  void want(Key, const FetchSpot&);
  void forget(Key);
  // How many partitions the next request would ask for.
  size_t wanted() const { return wanted_.size(); }
  // What the request in flight, or the last one, asked for of it; nullptr: nothing.
  const FetchSpot* asked(Key) const;
  template <class Call>
  void each_asked(const Call& call) const {
    for (const auto& [key, spot] : asked_) call(key, spot);
  }

  // Fills in session id, epoch, topics and what to forget.  What it points at holds until the next call of the session.
  void fill(FetchRequest&, int32_t partition_bytes_max);
  // The answer has come, or none.  A session that the broker does not know any more starts anew with the next request.
  void answered(int32_t session_id);
  void lost();

 private:
  bool full() const { return epoch_ == 0; }
  void apply(Key changed);

  int32_t id_ = 0;
  int32_t epoch_ = 0;                              // 0: the next request is a full one
  std::unordered_map<Key, FetchSpot> wanted_;
  std::unordered_map<Key, FetchSpot> asked_;       // what the broker's session holds after the last request
  std::unordered_set<Key> changed_;                // where the two may differ
  std::vector<FetchSpot> added_, forgotten_;       // by the last request, by topic; they keep the names alive until it is encoded
};

}  // namespace kq::client
