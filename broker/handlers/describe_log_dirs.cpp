// DescribeLogDirs, key 35, v1-4.  v2: flexible.  v3: an error of the whole request.  v4: the room on the disk (KIP-827).
#include <map>
#include <set>

#include "broker/broker.hpp"
#include "broker/cluster/topic_name.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/storage.hpp"

namespace kq::broker {
namespace {

using Directory = DescribeLogDirsResponse::DescribeLogDirsResult;
using Wanted = std::map<std::string_view, std::set<int32_t>>;  // partitions of topics

// What the disk says.
struct Measured {
  std::string path;
  Code code = Code::none;
  std::map<log::TopicPartition, uint64_t> sizes;
  std::optional<log::DiskSpace> space;
};

// Blocks.
Measured measure(const log::LogDirectory& directory) {
  Measured measured{directory.path(), Code::none, directory.sizes(), std::nullopt};
  if (directory.offline()) measured.code = Code::kafka_storage_error;
  if (auto space = directory.space()) measured.space = *space;
  return measured;
}

bool wants(const std::optional<Wanted>& wanted, const log::TopicPartition& name) {
  if (name.topic == cluster::metadata_topic) return false;  // the controller's, not one of the broker's
  if (!wanted) return true;
  const auto topic = wanted->find(name.topic);
  return topic != wanted->end() && topic->second.contains(name.partition);
}

Directory tell(Call& call, const Measured& measured, const std::optional<Wanted>& wanted) {
  Directory told;
  told.log_dir = call.keep(measured.path);
  told.error_code = measured.code;
  if (measured.code != Code::none) return told;
  for (const auto& [name, bytes] : measured.sizes) {
    if (!wants(wanted, name)) continue;
    if (told.topics.empty() || told.topics.back().name != name.topic) told.topics.emplace_back().name = call.keep(name.topic);
    auto& partition = told.topics.back().partitions.emplace_back();
    partition.partition_index = name.partition;
    partition.partition_size = static_cast<int64_t>(bytes);
  }
  if (measured.space) {
    told.total_bytes = static_cast<int64_t>(measured.space->total);
    told.usable_bytes = static_cast<int64_t>(measured.space->usable);
  }
  return told;
}

}  // namespace

awaitable<DescribeLogDirsResponse> handle(Broker& broker, Call& call, const DescribeLogDirsRequest& request) {
  std::optional<Wanted> wanted;
  if (request.topics) {
    wanted.emplace();
    for (const auto& topic : *request.topics) (*wanted)[topic.topic].insert(topic.partitions.begin(), topic.partitions.end());
  }
  std::vector<Measured> measured;
  co_await broker.env.io.run(call.loop, [&] {
    for (const auto& directory : broker.storage().directories()) measured.push_back(measure(*directory));
  });
  DescribeLogDirsResponse response;
  for (const Measured& directory : measured) response.results.push_back(tell(call, directory, wanted));
  co_return response;
}

}  // namespace kq::broker
