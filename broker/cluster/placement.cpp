// Which brokers hold a new partition.
#include <algorithm>
#include <set>

#include "broker/cluster/decide.hpp"

namespace kq::broker {
namespace {

using cluster::Fault;
using cluster::Image;

bool alive(const Image& image, int32_t id) {
  const auto* broker = image.broker(id);
  return broker != nullptr && !broker->fenced && !broker->in_controlled_shutdown;
}

}  // namespace

Placement place(const Image& image, int32_t first_partition, int32_t partitions, int32_t replication_factor) {
  std::vector<int32_t> brokers;
  size_t fenced = 0;
  for (const auto& [id, broker] : image.brokers) {
    if (broker->fenced) ++fenced;
    else brokers.push_back(id);
  }
  const auto refused = [&](std::string why) {
    Placement out;
    out.fault = Fault{Code::invalid_replication_factor, "Unable to replicate the partition " + std::to_string(replication_factor) +
                                                            " time(s): " + std::move(why)};
    return out;
  };
  if (brokers.empty()) return refused("All brokers are currently fenced.");
  if (static_cast<size_t>(replication_factor) > brokers.size() + fenced)
    return refused("The target replication factor of " + std::to_string(replication_factor) + " cannot be reached because only " +
                   std::to_string(brokers.size() + fenced) + " broker(s) are registered.");
  for (const auto& [id, broker] : image.brokers)
    if (broker->fenced) brokers.push_back(id);                  // behind those that are alive: never first
  Placement out;
  const size_t leaders = brokers.size() - fenced;
  for (int32_t i = 0; i < partitions; ++i) {
    std::vector<int32_t> replicas;
    const size_t first = static_cast<size_t>(first_partition + i) % leaders;
    for (size_t k = 0; replicas.size() < static_cast<size_t>(replication_factor); ++k)
      replicas.push_back(brokers[k < leaders ? (first + k) % leaders : k]);
    out.partitions.push_back(std::move(replicas));
  }
  return out;
}

std::optional<Fault> check_assignment(const Image& image, std::span<const int32_t> replicas, size_t replication_factor) {
  const auto refused = [](std::string why) { return Fault{Code::invalid_replica_assignment, std::move(why)}; };
  if (replicas.empty()) return refused("The manual partition assignment includes an empty replica list.");
  std::vector<int32_t> sorted(replicas.begin(), replicas.end());
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (!image.broker(sorted[i]))
      return refused("The manual partition assignment includes broker " + std::to_string(sorted[i]) + ", but no such broker is registered.");
    if (i > 0 && sorted[i] == sorted[i - 1])
      return refused("The manual partition assignment includes the broker " + std::to_string(sorted[i]) + " more than once.");
  }
  if (replication_factor > 0 && replicas.size() != replication_factor)
    return refused("The manual partition assignment includes a partition with " + std::to_string(replicas.size()) +
                   " replica(s), but this is not consistent with previous partitions, which have " + std::to_string(replication_factor) +
                   " replica(s).");
  return std::nullopt;
}

std::optional<cluster::PartitionImage> new_partition(const Image& image, std::vector<int32_t> replicas) {
  constexpr size_t directories_known = 1;
  Uuid unassigned;
  unassigned.bytes[15] = std::byte{1};                           // reserved: the broker chooses one of its directories
  cluster::PartitionImage partition;
  for (const int32_t id : replicas) {
    const auto* broker = image.broker(id);
    if (alive(image, id)) partition.isr.push_back(id);
    partition.directories.push_back(broker && broker->log_dirs.size() == directories_known ? broker->log_dirs[0] : unassigned);
  }
  if (partition.isr.empty()) return std::nullopt;
  partition.replicas = std::move(replicas);
  partition.leader = partition.isr.front();
  partition.leader_epoch = partition.partition_epoch = 0;
  return partition;
}

}  // namespace kq::broker
