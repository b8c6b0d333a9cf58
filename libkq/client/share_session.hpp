// A share session with one broker (KIP-932): the broker remembers what is fetched, a request tells what has changed, and acknowledges.
#pragma once

#include <map>
#include <set>
#include <string>

#include "libkq/base/uuid.hpp"
#include "libkq/client/share_runs.hpp"
#include "libkq/protocol/messages/share_acknowledge.hpp"
#include "libkq/protocol/messages/share_fetch.hpp"

namespace kq::client {

// What is said of a run of offsets, and to which commit the outcome belongs.
struct ShareAck {
  static constexpr int8_t gap = 0, accept = 1, release = 2, reject = 3, renew = 4;  // the protocol's numbers

  int8_t type = accept;
  uint64_t commit = 0;
  bool operator==(const ShareAck&) const = default;
};

using SharePart = std::pair<Uuid, int32_t>;
using ShareAcks = std::map<SharePart, Runs<ShareAck>>;

// At most one request at a time: filled, then answered or lost.
class ShareSession {
 public:
  bool open() const { return epoch_ != 0; }
  bool holds(const SharePart& part) const { return parts_.contains(part); }
  bool empty() const { return parts_.empty(); }

  // Writes the epoch, what to fetch from now on, what no more, and the acknowledgements.  A session's first request opens it, and cannot
  // acknowledge anything.
  void fill(ShareFetchRequest&, const std::set<SharePart>& wanted, const ShareAcks&);
  // `last`: the session ends with it, and what it holds is released.
  void fill(ShareAcknowledgeRequest&, const ShareAcks&, bool last);
  void answered();
  void lost();

 private:
  static constexpr int32_t final_epoch = -1;

  int32_t epoch_ = 0;          // of the next request; 0: it opens a session
  std::set<SharePart> parts_;  // what the broker's session holds
  std::set<SharePart> asked_;  // and will, once the request is answered
  bool last_ = false;
};

}  // namespace kq::client
