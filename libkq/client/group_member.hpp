// GroupMember: one member of a consumer group, as a state machine.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "libkq/base/clock.hpp"
#include "libkq/base/random.hpp"
#include "libkq/base/result.hpp"
#include "libkq/client/assignors.hpp"
#include "libkq/protocol/messages/consumer_group_heartbeat.hpp"
#include "libkq/protocol/messages/heartbeat.hpp"
#include "libkq/protocol/messages/join_group.hpp"
#include "libkq/protocol/messages/leave_group.hpp"
#include "libkq/protocol/messages/share_group_heartbeat.hpp"
#include "libkq/protocol/messages/sync_group.hpp"
#include "libkq/rpc/backoff.hpp"

namespace kq::client {

struct GroupOptions {
  std::string group_id{};                                                          // group.id
  std::optional<std::string> instance_id{};                                        // group.instance.id: a static member (KIP-345)
  std::string rack{};                                                              // client.rack
  std::vector<Assignor> assignors{Assignor::range, Assignor::cooperative_sticky};  // partition.assignment.strategy
  std::string remote_assignor{};     // group.remote.assignor; empty: the broker's choice
  Duration session_timeout{45s};     // session.timeout.ms
  Duration heartbeat_interval{3s};   // heartbeat.interval.ms
  Duration rebalance_timeout{5min};  // max.poll.interval.ms: how long partitions may take to be given up
  Duration request_timeout{30s};     // request.timeout.ms
  Backoff backoff{100ms, 1s};        // retry.backoff.ms, retry.backoff.max.ms
};

// Who a commit comes from; a consumer that is in no group's membership commits as nobody.
struct MemberIdentity {
  std::string member_id{};
  int32_t generation = -1;  // or the member's epoch
  std::optional<std::string> instance_id{};
};

// Decides; owns no socket, reads no clock, starts no thread.  Its owner calls step() with what has happened and carries out what it answers:
// at most one request is under way at a time, under a serial number, and the answer to an older number is ignored.
//
// Partitions come with Assigned and go with Revoke, which its owner has to confirm by Released, once the application reads them no more and
// has committed what it wants to, or with Lost, when they belong to somebody else already.
class GroupMember {
 public:
  virtual ~GroupMember() = default;

  enum class Api : int8_t { join, sync, heartbeat, leave, consumer_heartbeat, share_heartbeat };

  // ---- what happens ----
  struct Tick {};
  struct Subscribed {  // nothing: unsubscribed
    std::vector<std::string> topics{};
    std::string pattern{};  // for the broker to match (KIP-848 alone)
  };
  struct Released {};  // of the last Revoke
  struct Overdue {};   // nobody polls, though there is something to poll: make room for others
  struct Polled {};    // somebody polls again
  struct Leave {};     // for good: Left is the last action
  struct Topics {
    const AssignorTopics& known;
  };  // metadata of what is watched; a topic that does not exist has no partitions
  struct TopicNames {
    const std::map<Uuid, std::string>& names;
  };  // that the cluster told in answer to Resolve
  using Response = std::variant<const JoinGroupResponse*, const SyncGroupResponse*, const HeartbeatResponse*,
                                const LeaveGroupResponse*, const ConsumerGroupHeartbeatResponse*, const ShareGroupHeartbeatResponse*>;
  struct Answered {
    uint64_t serial;
    Response response;
  };
  struct Failed {  // no answer
    uint64_t serial;
    Error error;
  };
  using Event = std::variant<Tick, Subscribed, Released, Overdue, Polled, Leave, Topics, TopicNames, Answered, Failed>;

  // ---- what is to be done ----
  struct Ask {  // of the coordinator: fill() writes the request
    Api api;
    uint64_t serial;
    Duration timeout;
  };
  struct Assigned {
    Partitions partitions;
  };
  struct Revoke {
    Partitions partitions;
  };
  struct Lost {
    Partitions partitions;
  };  // what was to be released is among them, and needs no Released any more
  struct Watch {
    std::vector<std::string> topics;
  };  // Topics are wanted of these, now and when they change
  struct Resolve {
    std::vector<Uuid> topics;
  };  // TopicNames are wanted of these
  struct Trouble {
    Error error;
  };  // for the application; a fatal one is the member's end
  struct Left {};
  using Action = std::variant<Ask, Assigned, Revoke, Lost, Watch, Resolve, Trouble, Left>;

  virtual std::span<const Action> step(Instant now, const Event&) = 0;  // valid until the next step
  virtual std::optional<Instant> deadline() const = 0;                  // call step with Tick no later than this

  // Write the request that was asked for under this number; what they point at holds until the next step.  False: it is out of date.
  virtual bool fill(uint64_t /*serial*/, JoinGroupRequest&) { return false; }
  virtual bool fill(uint64_t /*serial*/, SyncGroupRequest&) { return false; }
  virtual bool fill(uint64_t /*serial*/, HeartbeatRequest&) { return false; }
  virtual bool fill(uint64_t /*serial*/, LeaveGroupRequest&) { return false; }
  virtual bool fill(uint64_t /*serial*/, ConsumerGroupHeartbeatRequest&) { return false; }
  virtual bool fill(uint64_t /*serial*/, ShareGroupHeartbeatRequest&) { return false; }

  virtual MemberIdentity identity() const = 0;
  virtual bool is_member() const = 0;        // it has joined, as far as it knows
  virtual std::string protocol() const = 0;  // of the group's assignor, or ""
};

}  // namespace kq::client
