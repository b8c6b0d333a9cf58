#include "libkq/api/consumer.hpp"

#include "libkq/api/array.hpp"
#include "libkq/api/batch.hpp"
#include "libkq/api/config.hpp"
#include "libkq/client/admin/offsets.hpp"
#include "libkq/client/admin/operation.hpp"

using namespace kq;
using namespace kq::api;

kq_error* kq_consumer_new(const kq_config* config, kq_consumer** out) { return kq_consumer_new_on(nullptr, config, out); }

kq_error* kq_consumer_new_on(kq_loop* loop, const kq_config* config, kq_consumer** out) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(out);
    KQ_TRY_ASSIGN(const client::Config parsed, parse_config(client::Role::consumer, config));
    auto driver = make_driver(loop);
    KQ_TRY_ASSIGN(auto cluster, make_cluster(*driver, parsed));
    auto consumer = std::make_unique<kq_consumer>(std::move(driver), std::move(cluster), parsed);
    consumer->driver()->run([&] {
      consumer->consumer->start();
      consumer->cluster->start();
    });
    *out = consumer.release();
    return {};
  });
}

kq_error* kq_consumer_assign(kq_consumer* consumer, const kq_topic_partition* partitions, size_t partitions_len) {
  return guard_handle(consumer, [&]() -> Status {
    KQ_TRY_ASSIGN(const auto given, read_array(partitions, partitions_len, KQ_TOPIC_PARTITION_INIT));
    std::vector<client::AssignedPartition> assigned;
    for (const kq_topic_partition& each : given) {
      if (!each.topic) return null_argument("topic");
      if (each.partition < 0 || (each.offset < 0 && each.offset != KQ_LATEST && each.offset != KQ_EARLIEST && each.offset != KQ_DEFAULT))
        return Error(own_code::argument, std::string(each.topic) + "-" + std::to_string(each.partition) + ": no such partition, or offset");
      assigned.push_back({each.topic, each.partition, each.offset});
    }
    return consumer->consumer->assign(assigned);
  });
}

kq_error* kq_consumer_seek(kq_consumer* consumer, const char* topic, int32_t partition, int64_t offset) {
  return guard_handle(consumer, [&]() -> Status {
    KQ_API_ARGUMENT(topic);
    if (offset < 0 && offset != KQ_LATEST && offset != KQ_EARLIEST && offset != KQ_DEFAULT)
      return Error(own_code::argument, "there is no offset " + std::to_string(offset));
    return consumer->consumer->seek(topic, partition, offset);
  });
}

static kq_error* pause(kq_consumer* consumer, const char* topic, int32_t partition, bool paused) {
  return guard_handle(consumer, [&]() -> Status {
    KQ_API_ARGUMENT(topic);
    return consumer->consumer->pause(topic, partition, paused);
  });
}

kq_error* kq_consumer_pause(kq_consumer* consumer, const char* topic, int32_t partition) {
  return pause(consumer, topic, partition, true);
}
kq_error* kq_consumer_resume(kq_consumer* consumer, const char* topic, int32_t partition) {
  return pause(consumer, topic, partition, false);
}

kq_error* kq_consumer_poll(kq_consumer* consumer, int32_t timeout_ms, kq_batch** out) {
  return guard_handle(consumer, [&]() -> kq_error* {
    if (!out) return make_error(null_argument("out"));
    auto batch = std::make_unique<kq_batch>();
    client::Consumer::Where where;
    auto polled = consumer->consumer->poll(client::deadline_after(timeout_ms), *batch, where);
    if (!polled) return make_error(polled.error(), where.topic, where.partition);
    *out = *polled == client::Consumer::Polled::batch ? batch.release() : nullptr;
    return nullptr;
  });
}

int kq_consumer_fd(const kq_consumer* consumer) { return consumer && !consumer->forked() ? consumer->consumer->descriptor() : -1; }

kq_error* kq_consumer_position(const kq_consumer* consumer, const char* topic, int32_t partition, int64_t* out) {
  return guard_handle(consumer, [&]() -> Status {
    KQ_API_ARGUMENT(topic);
    KQ_API_ARGUMENT(out);
    KQ_TRY_ASSIGN(*out, consumer->consumer->position(topic, partition));
    return {};
  });
}

kq_error* kq_consumer_assignment(const kq_consumer* consumer, kq_rows** out) {
  using client::admin::column;
  static constexpr kq_field columns[] = {
      column("topic", 's', "The topic's name."),
      column("partition", 'i', "The partition's number."),
      column("position", 'i', "The offset of the next record that poll will return; or below 0, not resolved yet."),
      column("end_offset", 'i', "The partition's end as the last fetch saw it; -1: not known yet."),
      column("lag", 'i', "How many offsets lie between; -1: not known yet."),
      column("paused", 'i', "1: it is paused."),
  };
  return guard_handle(consumer, [&]() -> Status {
    KQ_API_ARGUMENT(out);
    auto rows = std::make_unique<kq_rows>("assignment", columns);
    for (const auto& each : consumer->consumer->assignment()) {
      const bool known = each.end_offset >= 0 && each.position >= 0;
      auto& row = rows->add().set("topic", each.topic).set("partition", each.partition).set("position", each.position);
      row.set("end_offset", each.end_offset).set("lag", known ? std::max<int64_t>(0, each.end_offset - each.position) : -1);
      row.set("paused", each.paused);
    }
    *out = rows.release();
    return {};
  });
}

kq_error* kq_consumer_offsets_at(kq_consumer* consumer, int64_t timestamp_ms, kq_topic_partition* partitions, size_t partitions_len,
                                 int32_t timeout_ms) {
  return guard_handle(consumer, [&]() -> kq_error* {
    auto given = read_array(partitions, partitions_len, KQ_TOPIC_PARTITION_INIT);
    if (!given) return make_error(given.error());
    std::vector<client::OffsetQuery> queries;
    for (const kq_topic_partition& each : *given) {
      if (!each.topic) return make_error(null_argument("topic"));
      queries.push_back({{each.topic, each.partition}, timestamp_ms});
    }
    const std::lock_guard lock(consumer->closing);
    if (consumer->closed) return make_error(closed_consumer_error().error());
    auto asked = consumer->driver()->await<bool>([&] {
      return client::find_offsets(consumer->cluster, queries, consumer->isolation_level, consumer->deadline(timeout_ms));
    });
    if (!asked) return make_error(asked.error());
    for (const auto& query : queries)
      if (query.error) return make_error(*query.error, query.topic, query.partition);
    for (size_t i = 0; i < queries.size(); ++i) {
      auto& each = *array_at(partitions, i);
      each.offset = queries[i].offset;
      if (each.size >= offsetof(kq_topic_partition, leader_epoch) + sizeof each.leader_epoch) each.leader_epoch = queries[i].leader_epoch;
    }
    return nullptr;
  });
}

kq_error* kq_consumer_partition_count(kq_consumer* consumer, const char* topic, int32_t timeout_ms, int32_t* out) {
  return guard_handle(consumer, [&]() -> Status {
    KQ_API_ARGUMENT(topic);
    KQ_API_ARGUMENT(out);
    const std::lock_guard lock(consumer->closing);
    if (consumer->closed) return closed_consumer_error();
    const Instant deadline = consumer->deadline(timeout_ms);
    KQ_TRY_ASSIGN(*out, consumer->driver()->await<int32_t>([&] { return client::count_partitions(consumer->cluster, topic, deadline); }));
    return {};
  });
}

kq_error* kq_consumer_wakeup(kq_consumer* consumer) {
  return guard_handle(consumer, [&]() -> Status {
    consumer->consumer->wake_up();
    return {};
  });
}

kq_error* kq_consumer_close(kq_consumer* consumer, int32_t timeout_ms) {
  return guard_handle(consumer, [&]() -> Status {
    const std::lock_guard lock(consumer->closing);
    return consumer->end(consumer->deadline(timeout_ms));
  });
}

void kq_consumer_free(kq_consumer* consumer) {
  if (consumer && !consumer->forked()) {
    const std::lock_guard lock(consumer->closing);
    kq_error_free(guard([&]() -> Status { return consumer->close(), Status{}; }));
  }
  delete consumer;
}
