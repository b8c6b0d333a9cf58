// The topics that a group subscribes to, as they are, in one number: another number means another assignment.  It is Kafka's, so that a
// group that is handed over in either direction stays as it is.
#pragma once

#include <set>
#include <string>

#include "broker/cluster/image.hpp"

namespace kq::group {

// Of those of the topics that there are; 0: of none.
int64_t hash_of(const cluster::Image&, const std::set<std::string, std::less<>>& topics);

}  // namespace kq::group
