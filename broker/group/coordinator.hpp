// The group coordinator of a broker.
#pragma once

#include "broker/coordinator/runtime.hpp"
#include "broker/group/group_shard.hpp"

namespace kq::broker {
struct Broker;
}

namespace kq::group {

class Coordinator final : public coordinator::Coordinator<GroupShard> {
 public:
  explicit Coordinator(broker::Broker&);
};

}  // namespace kq::group
