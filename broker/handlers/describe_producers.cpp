// DescribeProducers, key 61, v0 (KIP-664): what a partition knows of those who write to it, open transactions among it.
#include "broker/broker.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/partitions.hpp"

namespace kq::broker {
namespace {

using Answer = DescribeProducersResponse::PartitionResponse;

awaitable<Code> describe(Broker& broker, Call& call, const cluster::TopicImage* topic, Answer& answer) {
  const auto partition = topic ? broker.partitions->find(topic->id, answer.partition_index) : nullptr;
  if (!partition)
    co_return topic && topic->partition(answer.partition_index) ? Code::not_leader_or_follower : Code::unknown_topic_or_partition;
  const Code opened = co_await partition->opened(call.loop);
  if (opened != Code::none) co_return opened;
  std::vector<log::Producer> producers;
  const Code code = partition->producers(producers);
  for (const log::Producer& producer : producers) {
    auto& active = answer.active_producers.emplace_back();
    active.producer_id = producer.id;
    active.producer_epoch = producer.epoch;
    active.last_sequence = producer.last_sequence();
    active.last_timestamp = producer.last_timestamp;
    active.coordinator_epoch = producer.coordinator_epoch;
    active.current_txn_start_offset = producer.transaction_first_offset;
  }
  co_return code;
}

}  // namespace

awaitable<DescribeProducersResponse> handle(Broker& broker, Call& call, const DescribeProducersRequest& request) {
  DescribeProducersResponse response;
  for (const auto& asked : request.topics) {
    auto& topic = response.topics.emplace_back();
    topic.name = asked.name;
    const cluster::TopicImage* image = call.image->topic(asked.name);
    for (const int32_t index : asked.partition_indexes) {
      Answer& answer = topic.partitions.emplace_back();
      answer.partition_index = index;
      answer.error_code = co_await describe(broker, call, image, answer);
    }
  }
  co_return response;
}

}  // namespace kq::broker
