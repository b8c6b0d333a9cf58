// The statistics of handles, as rows.
#include "libkq/api/consumer.hpp"
#include "libkq/api/producer.hpp"
#include "libkq/api/share_consumer.hpp"
#include "libkq/client/admin/operation.hpp"
#include "libkq/client/producer_engine.hpp"

using namespace kq;
using namespace kq::api;
using client::admin::column;
using client::admin::nullable;

namespace {

#define KQ_NODE_COLUMNS                                                                                                        \
  column("nodes", 'r', "The brokers that were asked for data."), column("nodes.node", 'i', "The broker's number."),            \
      nullable(column("nodes.host", 's', "Its address; null: it is not there any more.")),                                     \
      nullable(column("nodes.port", 'i', "Likewise.")), column("nodes.requests", 'i', "Requests for data."),                   \
      column("nodes.failures", 'i', "Those that had no answer."), column("nodes.in_flight", 'i', "Those that are under way."), \
      column("nodes.bytes", 'i', "Bytes of the records sent, or of the answers received."),                                    \
      column("nodes.latency_us_mean", 'i', "Microseconds from request to answer: the mean."),                                  \
      column("nodes.latency_us_p50", 'i', "Half of them took no longer."),                                                     \
      column("nodes.latency_us_p95", 'i', "95 of 100 took no longer."),                                                        \
      column("nodes.latency_us_p99", 'i', "99 of 100 took no longer."), column("nodes.latency_us_max", 'i', "The longest."),   \
      column("nodes.latency_us", 'r', "How many took how long."),                                                              \
      column("nodes.latency_us.up_to", 'i', "Not longer than this, and longer than the row before."),                          \
      column("nodes.latency_us.count", 'i', "So many.")

constexpr kq_field producer_columns[] = {
    column("age_ms", 'i', "How long ago the handle was made."),
    column("records", 'i', "Records that were delivered."),
    column("failed_records", 'i', "Records that failed."),
    column("batches", 'i', "Batches that were delivered."),
    column("bytes", 'i', "Their bytes, compressed."),
    column("retries", 'i', "Batches that were sent once more."),
    column("pending_records", 'i', "Records that are neither delivered nor failed."),
    column("buffer_bytes", 'i', "What of buffer.memory is taken."),
    column("buffer_bytes_max", 'i', "buffer.memory."),
    column("delivery_bytes", 'i', "What of delivery.memory is taken, by deliveries that nobody has polled."),
    column("delivery_bytes_max", 'i', "delivery.memory."),
    column("batch_bytes_mean", 'i', "Bytes of a batch: the mean."),
    column("batch_bytes_p50", 'i', "Half of them were no larger."),
    column("batch_bytes_max", 'i', "The largest."),
    column("batch_records_mean", 'i', "Records of a batch: the mean."),
    column("batch_records_p50", 'i', "Half of them had no more."),
    column("batch_records_max", 'i', "The most."),
    KQ_NODE_COLUMNS,
    column("partitions", 'r', "The partitions that records were sent to."),
    column("partitions.topic", 's', "The topic's name."),
    column("partitions.partition", 'i', "The partition's number."),
    column("partitions.leader", 'i', "The broker that leads it; -1: none."),
    column("partitions.records", 'i', "Records that were delivered."),
    column("partitions.failed_records", 'i', "Records that failed."),
    column("partitions.batches", 'i', "Batches that were delivered."),
    column("partitions.bytes", 'i', "Their bytes, compressed."),
    column("partitions.retries", 'i', "Batches that were sent once more."),
    column("partitions.waiting_batches", 'i', "Full or lingered batches that are not acknowledged yet."),
};

constexpr kq_field consumer_columns[] = {
    column("age_ms", 'i', "How long ago the handle was made."),
    column("records", 'i', "Records that polls have given."),
    column("bytes", 'i', "The bytes that they came in, compressed."),
    column("batches", 'i', "Batches that polls have given which held records."),
    column("fetch_bytes", 'i', "What of fetch.buffer.memory is taken: read ahead, or held by the application."),
    column("fetch_bytes_max", 'i', "fetch.buffer.memory."),
    column("lag", 'i', "How many offsets polls are behind, over all partitions where that is known."),
    KQ_NODE_COLUMNS,
    column("partitions", 'r', "The partitions that are assigned."),
    column("partitions.topic", 's', "The topic's name."),
    column("partitions.partition", 'i', "The partition's number."),
    column("partitions.records", 'i', "Records that polls have given of it."),
    column("partitions.bytes", 'i', "The bytes that they came in, compressed."),
    column("partitions.position", 'i', "The offset of the next record that poll will return; below 0: not resolved yet."),
    column("partitions.end_offset", 'i', "The partition's end as the last fetch saw it; -1: not known yet."),
    column("partitions.lag", 'i', "How many offsets lie between; -1: not known yet."),
    column("partitions.paused", 'i', "1: it is paused."),
};

constexpr kq_field share_consumer_columns[] = {
    column("age_ms", 'i', "How long ago the handle was made."),
    column("records", 'i', "Records that polls have given, each as often as it was."),
    column("bytes", 'i', "The bytes that they came in, compressed."),
    column("batches", 'i', "Batches that polls have given which held records."),
    column("accepted", 'i', "Offsets whose acceptance a broker has confirmed."),
    column("released", 'i', "Likewise those given back for another delivery."),
    column("rejected", 'i', "Likewise those that nobody is to get again."),
    column("renewed", 'i', "How often locks were extended."),
    column("failed_acknowledgements", 'i', "Offsets whose acknowledgement was refused, or not answered."),
    column("fetch_bytes", 'i', "What of fetch.buffer.memory is taken: fetched, or held by the application."),
    column("fetch_bytes_max", 'i', "fetch.buffer.memory."),
    KQ_NODE_COLUMNS,
    column("partitions", 'r', "The partitions that are assigned, or of which records are still held."),
    column("partitions.topic", 's', "The topic's name."),
    column("partitions.partition", 'i', "The partition's number."),
    column("partitions.assigned", 'i', "1: it is assigned."),
    column("partitions.records", 'i', "Records that polls have given of it."),
    column("partitions.bytes", 'i', "The bytes that they came in, compressed."),
    column("partitions.held", 'i', "Offsets that are acquired and not acknowledged yet."),
};

int64_t whole(uint64_t count) { return static_cast<int64_t>(count); }

void add_nodes(kq_rows& nodes, const client::NodesTraffic& traffic, const client::Cluster& cluster) {
  for (const auto& [id, node] : traffic) {
    auto& row = nodes.add().set("node", id);
    if (const client::Node* known = cluster.find_node(id)) row.set("host", known->address.host).set("port", known->address.port);
    row.set("requests", whole(node.requests)).set("failures", whole(node.failures)).set("in_flight", node.in_flight);
    row.set("bytes", whole(node.bytes))
        .set("latency_us_mean", node.latency_us.mean())
        .set("latency_us_max", node.latency_us.max());
    row.set("latency_us_p50", node.latency_us.quantile(500)).set("latency_us_p95", node.latency_us.quantile(950));
    row.set("latency_us_p99", node.latency_us.quantile(990));
    kq_rows& buckets = row.nested("latency_us");
    node.latency_us.each([&](int64_t up_to, int64_t count) { buckets.add().set("up_to", up_to).set("count", count); });
  }
}

}  // namespace

kq_error* kq_producer_statistics(kq_producer* producer, kq_rows** out) {
  return guard_handle(producer, [&]() -> Status {
    KQ_API_ARGUMENT(out);
    const std::lock_guard lock(producer->closing);
    if (!producer->producer) return Error(own_code::closed, "the producer is closed");
    auto rows = std::make_unique<kq_rows>("producer_statistics", producer_columns);
    producer->driver()->run([&] {
      client::ProducerEngine& engine = producer->producer->engine();
      const client::ProducerStatistics& seen = engine.statistics();
      client::PartitionTraffic sum;
      auto& row = rows->add();
      kq_rows& partitions = row.nested("partitions");
      for (const auto& [lane, each] : seen.partitions) {
        sum.records += each.records, sum.failed_records += each.failed_records, sum.batches += each.batches;
        sum.bytes += each.bytes, sum.retries += each.retries;
        auto& partition =
            partitions.add().set("topic", *lane->topic).set("partition", lane->partition).set("leader", lane->leader);
        partition.set("records", whole(each.records)).set("failed_records", whole(each.failed_records));
        partition.set("batches", whole(each.batches)).set("bytes", whole(each.bytes)).set("retries", whole(each.retries));
        partition.set("waiting_batches", whole(lane->waiting.size() + lane->in_flight.size()));
      }
      const client::SendMemory& memory = engine.memory();
      row.set("age_ms", to_ms(Clock::now() - seen.since)).set("records", whole(sum.records)).set("batches", whole(sum.batches));
      row.set("failed_records", whole(sum.failed_records)).set("bytes", whole(sum.bytes)).set("retries", whole(sum.retries));
      row.set("pending_records", whole(producer->producer->pending()));
      row.set("buffer_bytes", whole(memory.records.used())).set("buffer_bytes_max", whole(memory.records.limit()));
      row.set("delivery_bytes", whole(memory.deliveries.used())).set("delivery_bytes_max", whole(memory.deliveries.limit()));
      row.set("batch_bytes_mean", seen.batch_bytes.mean()).set("batch_bytes_p50", seen.batch_bytes.quantile(500));
      row.set("batch_bytes_max", seen.batch_bytes.max()).set("batch_records_mean", seen.batch_records.mean());
      row.set("batch_records_p50", seen.batch_records.quantile(500)).set("batch_records_max", seen.batch_records.max());
      add_nodes(row.nested("nodes"), seen.nodes, engine.cluster());
    });
    *out = rows.release();
    return {};
  });
}

kq_error* kq_consumer_statistics(kq_consumer* consumer, kq_rows** out) {
  return guard_handle(consumer, [&]() -> Status {
    KQ_API_ARGUMENT(out);
    const std::lock_guard lock(consumer->closing);
    if (consumer->closed) return closed_consumer_error();
    auto rows = std::make_unique<kq_rows>("consumer_statistics", consumer_columns);
    consumer->driver()->run([&] {
      const client::Consumer::Statistics seen = consumer->consumer->statistics();
      auto& row = rows->add();
      kq_rows& partitions = row.nested("partitions");
      int64_t lag_sum = 0;
      for (const auto& each : seen.partitions) {
        const bool known = each.assigned.end_offset >= 0 && each.assigned.position >= 0;
        const int64_t lag = known ? std::max<int64_t>(0, each.assigned.end_offset - each.assigned.position) : -1;
        lag_sum += std::max<int64_t>(lag, 0);
        auto& partition = partitions.add().set("topic", each.assigned.topic).set("partition", each.assigned.partition);
        partition.set("records", whole(each.records)).set("bytes", whole(each.bytes)).set("position", each.assigned.position);
        partition.set("end_offset", each.assigned.end_offset).set("lag", lag).set("paused", each.assigned.paused);
      }
      row.set("age_ms", to_ms(Clock::now() - seen.since)).set("records", whole(seen.records)).set("bytes", whole(seen.bytes));
      row.set("batches", whole(seen.batches)).set("lag", lag_sum);
      row.set("fetch_bytes", whole(seen.memory_used)).set("fetch_bytes_max", whole(seen.memory_max));
      add_nodes(row.nested("nodes"), seen.nodes, *consumer->cluster);
    });
    *out = rows.release();
    return {};
  });
}

kq_error* kq_share_consumer_statistics(kq_share_consumer* consumer, kq_rows** out) {
  using client::ShareAck;
  return guard_handle(consumer, [&]() -> Status {
    KQ_API_ARGUMENT(out);
    const std::lock_guard lock(consumer->closing);
    if (consumer->closed) return closed_share_consumer_error();
    auto rows = std::make_unique<kq_rows>("share_consumer_statistics", share_consumer_columns);
    consumer->driver()->run([&] {
      const client::ShareConsumer::Statistics seen = consumer->consumer->statistics();
      auto& row = rows->add();
      row.set("age_ms", to_ms(Clock::now() - seen.since)).set("records", whole(seen.records)).set("bytes", whole(seen.bytes));
      row.set("batches", whole(seen.batches)).set("accepted", whole(seen.counts.confirmed[ShareAck::accept]));
      row.set("released", whole(seen.counts.confirmed[ShareAck::release])).set("rejected", whole(seen.counts.confirmed[ShareAck::reject]));
      row.set("renewed", whole(seen.counts.confirmed[ShareAck::renew])).set("failed_acknowledgements", whole(seen.counts.failed));
      row.set("fetch_bytes", whole(seen.memory_used)).set("fetch_bytes_max", whole(seen.memory_max));
      add_nodes(row.nested("nodes"), seen.nodes, *consumer->cluster);
      kq_rows& partitions = row.nested("partitions");
      for (const auto& each : seen.partitions) {
        auto& partition = partitions.add().set("topic", each.at.topic).set("partition", each.at.partition).set("assigned", each.assigned);
        partition.set("records", whole(each.records)).set("bytes", whole(each.bytes)).set("held", whole(each.held));
      }
    });
    *out = rows.release();
    return {};
  });
}
