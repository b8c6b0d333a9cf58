#include "libkq/api/share_consumer.hpp"

#include "libkq/api/batch.hpp"
#include "libkq/api/config.hpp"
#include "libkq/client/admin/operation.hpp"

using namespace kq;
using namespace kq::api;

kq_error* kq_share_consumer_new(const kq_config* config, kq_share_consumer** out) {
  return kq_share_consumer_new_on(nullptr, config, out);
}

kq_error* kq_share_consumer_new_on(kq_loop* loop, const kq_config* config, kq_share_consumer** out) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(out);
    KQ_TRY_ASSIGN(const client::Config parsed, parse_config(client::Role::consumer, config));
    if (parsed.group_id.empty()) return Error(own_code::config, "a share consumer needs a group.id");
    auto driver = make_driver(loop);
    KQ_TRY_ASSIGN(auto cluster, make_cluster(*driver, parsed));
    auto consumer = std::make_unique<kq_share_consumer>(std::move(driver), std::move(cluster), parsed);
    consumer->driver()->run([&] {
      consumer->consumer->start();
      consumer->cluster->start();
    });
    *out = consumer.release();
    return {};
  });
}

kq_error* kq_share_consumer_subscribe(kq_share_consumer* consumer, const char* const* topics, size_t topics_len) {
  return guard_handle(consumer, [&]() -> Status {
    if (topics_len > 0) KQ_API_ARGUMENT(topics);
    std::vector<std::string> names;
    for (size_t i = 0; i < topics_len; ++i) {
      if (!topics[i]) return null_argument("a topic");
      names.emplace_back(topics[i]);
    }
    return consumer->consumer->subscribe(std::move(names));
  });
}

kq_error* kq_share_consumer_unsubscribe(kq_share_consumer* consumer) { return kq_share_consumer_subscribe(consumer, nullptr, 0); }

kq_error* kq_share_consumer_poll(kq_share_consumer* consumer, int32_t timeout_ms, kq_batch** out) {
  return guard_handle(consumer, [&]() -> kq_error* {
    if (!out) return make_error(null_argument("out"));
    auto batch = std::make_unique<kq_batch>();
    client::ShareConsumer::Where where;
    auto polled = consumer->consumer->poll(client::deadline_after(timeout_ms), *batch, where);
    if (!polled) return make_error(polled.error(), where.topic, where.partition);
    *out = *polled == client::ShareConsumer::Polled::batch ? batch.release() : nullptr;
    return nullptr;
  });
}

kq_error* kq_share_consumer_wakeup(kq_share_consumer* consumer) {
  return guard_handle(consumer, [&]() -> Status {
    consumer->consumer->wake_up();
    return {};
  });
}

int kq_share_consumer_fd(const kq_share_consumer* consumer) {
  return consumer && !consumer->forked() ? consumer->consumer->descriptor() : -1;
}

// ---- acknowledgements ---------------------------------------------------------------------------------------------------------

static Result<int8_t> type_of(kq_acknowledge how) {
  if (how >= KQ_ACCEPT && how <= KQ_RENEW) return static_cast<int8_t>(how);
  return Error(own_code::argument, "there is no acknowledgement " + std::to_string(how));
}

kq_error* kq_share_consumer_acknowledge(kq_share_consumer* consumer, const kq_batch* batch, size_t first, size_t count,
                                        kq_acknowledge how) {
  return guard_handle(consumer, [&]() -> Status {
    KQ_API_ARGUMENT(batch);
    KQ_TRY_ASSIGN(const int8_t type, type_of(how));
    return consumer->consumer->acknowledge(*batch, first, count, type);
  });
}

kq_error* kq_share_consumer_acknowledge_at(kq_share_consumer* consumer, const char* topic, int32_t partition, int64_t offset,
                                           kq_acknowledge how) {
  return guard_handle(consumer, [&]() -> Status {
    KQ_API_ARGUMENT(topic);
    KQ_TRY_ASSIGN(const int8_t type, type_of(how));
    return consumer->consumer->acknowledge(topic, partition, offset, type);
  });
}

kq_error* kq_share_consumer_commit(kq_share_consumer* consumer, int32_t timeout_ms, kq_rows** out) {
  using client::admin::column;
  static constexpr kq_field columns[] = {
      column("topic", 's', "The topic's name."),
      column("partition", 'i', "The partition's number."),
      column("first_offset", 'i', "Of the first record of a run that was acknowledged."),
      column("last_offset", 'i', "Of its last record."),
  };
  return guard_handle(consumer, [&]() -> kq_error* {
    const std::lock_guard lock(consumer->closing);
    if (consumer->closed) return make_error(closed_share_consumer_error().error());
    std::vector<client::ShareOutcome> outcomes;
    const Instant by = consumer->deadline(timeout_ms);
    auto committed = consumer->driver()->await<bool>([&] { return consumer->consumer->commit(outcomes, by); });
    if (!committed) return make_error(committed.error());
    auto rows = std::make_unique<kq_rows>("acknowledged", columns);
    for (const client::ShareOutcome& each : outcomes) {
      if (each.error && !out) return make_error(*each.error, each.at.topic, each.at.partition);
      auto& row = rows->add().set("topic", each.at.topic).set("partition", each.at.partition);
      row.set("first_offset", each.first).set("last_offset", each.last);
      if (each.error) row.fail(*each.error);
    }
    if (out) *out = rows.release();
    return nullptr;
  });
}

kq_error* kq_share_consumer_commit_async(kq_share_consumer* consumer, uint64_t tag) {
  return guard_handle(consumer, [&]() -> Status { return consumer->consumer->commit_later(tag); });
}

int32_t kq_share_consumer_lock_timeout_ms(const kq_share_consumer* consumer) {
  return consumer && !consumer->forked() ? consumer->consumer->lock_timeout_ms() : -1;
}

// ---- the end ------------------------------------------------------------------------------------------------------------------

kq_error* kq_share_consumer_close(kq_share_consumer* consumer, int32_t timeout_ms) {
  return guard_handle(consumer, [&]() -> Status {
    const std::lock_guard lock(consumer->closing);
    return consumer->end(consumer->deadline(timeout_ms));
  });
}

void kq_share_consumer_free(kq_share_consumer* consumer) {
  if (consumer && !consumer->forked()) {
    const std::lock_guard lock(consumer->closing);
    kq_error_free(guard([&]() -> Status { return consumer->close(), Status{}; }));
  }
  delete consumer;
}
