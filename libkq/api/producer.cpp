#include "libkq/api/producer.hpp"

#include "libkq/api/array.hpp"
#include "libkq/api/batch.hpp"
#include "libkq/api/config.hpp"
#include "libkq/api/handle.hpp"
#include "libkq/client/producer_engine.hpp"

using namespace kq;
using namespace kq::api;
using client::Sending;

namespace {

constexpr size_t headers_on_stack_max = 16;

// What the caller gave, as views.
client::Outbound outbound(const kq_record& record, std::span<const RecordHeader> headers) {
  return {.topic = record.topic, .partition = record.partition, .timestamp_ms = record.timestamp_ms,
          .key = Bytes{static_cast<const std::byte*>(record.key), record.key_len},
          .value = Bytes{static_cast<const std::byte*>(record.value), record.value_len}, .headers = headers, .tag = record.tag};
}

Status check(const kq_record* record) {
  KQ_API_ARGUMENT(record);
  if (record->size < offsetof(kq_record, leader_epoch))
    return Error(own_code::argument, "the record's size is not set: begin it with KQ_RECORD_INIT");
  KQ_API_ARGUMENT(record->topic);
  if ((!record->key && record->key_len) || (!record->value && record->value_len) || (!record->headers && record->header_count))
    return Error(own_code::argument, "a pointer of the record is NULL, and its length is not 0");
  for (size_t i = 0; i < record->header_count; ++i)
    if (!record->headers[i].key || (!record->headers[i].value && record->headers[i].value_len))
      return Error(own_code::argument, "a header has no key, or a value that is NULL with a length");
  return {};
}

// Most are: then there is nothing to be said about them, and no view to be made.
bool plain(const kq_record& record) {
  return record.size >= offsetof(kq_record, leader_epoch) && record.topic && (record.key || !record.key_len) &&
         (record.value || !record.value_len) && !record.header_count;
}

bool may_be_sent_later(Sending outcome) {
  return outcome == Sending::topic_unknown || outcome == Sending::memory_full || outcome == Sending::deliveries_full;
}

// What a full producer answers to try_send, again and again: it costs nothing.
kq_error memory_full{KQ_ERR_NO_ROOM, KQ_RETRY, true, "buffer.memory is full of records that are not acknowledged yet: try again after a while"};
kq_error deliveries_full{KQ_ERR_NO_ROOM, KQ_RETRY, true, "delivery.memory is full of deliveries that nobody has polled: poll deliveries"};

// What could not be sent at once.
kq_error* not_sent(kq_producer* producer, const client::Outbound& out, Sending outcome, bool may_wait) {
  if (may_wait && may_be_sent_later(outcome) && producer->producer->block_max() > Duration::zero()) {
    producer->driver()->wait(producer->producer->room(), Clock::now() + producer->producer->block_max(), [&] {
      outcome = producer->producer->try_send(out);
      return !may_be_sent_later(outcome);
    });
    if (outcome == Sending::sent) return nullptr;
  }
  if (!may_wait && outcome == Sending::memory_full) return &memory_full;
  if (!may_wait && outcome == Sending::deliveries_full) return &deliveries_full;
  return make_error(producer->producer->explain(outcome, out), out.topic, out.partition);
}

// With headers, or not as it should be.
[[gnu::noinline]] kq_error* send_special(kq_producer* producer, const kq_record* record, bool may_wait) {
  if (Status good = check(record); !good) return make_error(good.error());
  RecordHeader small[headers_on_stack_max];
  std::vector<RecordHeader> large;
  std::span<RecordHeader> headers = std::span(small).first(std::min(std::size(small), record->header_count));
  if (record->header_count > std::size(small)) {
    large.resize(record->header_count);
    headers = large;
  }
  for (size_t i = 0; i < headers.size(); ++i) {
    const kq_header& from = record->headers[i];
    headers[i] = {{from.key, from.key_len}, Bytes{static_cast<const std::byte*>(from.value), from.value_len}};
  }
  const client::Outbound out = outbound(*record, headers);
  const Sending outcome = producer->producer->try_send(out);
  return outcome == Sending::sent ? nullptr : not_sent(producer, out, outcome, may_wait);
}

kq_error* send(kq_producer* producer, const kq_record* record, bool may_wait) {
  return guard_handle(producer, [&]() -> kq_error* {
    if (!record || !plain(*record)) [[unlikely]] return send_special(producer, record, may_wait);
    const client::Outbound out = outbound(*record, {});
    const Sending outcome = producer->producer->try_send(out);
    return outcome == Sending::sent ? nullptr : not_sent(producer, out, outcome, may_wait);
  });
}

Error late(const char* what, size_t pending) {
  return {own_code::timed_out, std::string(what) + ": " + std::to_string(pending) + " records are not acknowledged yet", Verdict::retry};
}

}  // namespace

kq_error* kq_producer_new(const kq_config* config, kq_producer** out) { return kq_producer_new_on(nullptr, config, out); }

kq_error* kq_producer_new_on(kq_loop* loop, const kq_config* config, kq_producer** out) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(out);
    KQ_TRY_ASSIGN(const client::Config parsed, parse_config(client::Role::producer, config));
    auto driver = make_driver(loop);
    KQ_TRY_ASSIGN(auto producer,
                  client::Producer::make(driver->loop(), driver->network(socket_options(parsed)),
                                         driver->logger(parsed.log_descriptor, parsed.log_level), parsed));
    *out = new kq_producer(std::move(driver), std::move(producer), parsed);
    return {};
  });
}

kq_error* kq_producer_send(kq_producer* producer, const kq_record* record) { return send(producer, record, true); }
kq_error* kq_producer_try_send(kq_producer* producer, const kq_record* record) { return send(producer, record, false); }

kq_error* kq_producer_send_many(kq_producer* producer, const kq_record* records, size_t records_len, size_t* sent) {
  size_t done = 0;
  kq_error* error = nullptr;
  while (done < records_len && !error) {
    const size_t stride = records ? records->size : 0;
    error = send(producer, records ? reinterpret_cast<const kq_record*>(reinterpret_cast<const char*>(records) + done * stride) : nullptr, true);
    if (!error) ++done;
  }
  if (sent) *sent = done;
  return error;
}

kq_error* kq_producer_purge(kq_producer* producer) {
  return guard_handle(producer, [&]() -> Status { return producer->producer->purge(), Status{}; });
}

kq_error* kq_producer_poll(kq_producer* producer, int32_t timeout_ms, kq_batch** out) {
  return guard_handle(producer, [&]() -> kq_error* {
    if (!out) return make_error(null_argument("out"));
    client::Producer& from = *producer->producer;
    producer->driver()->wait(from.arrived(), client::deadline_after(timeout_ms),
                             [&] { return from.has_deliveries(); });
    auto batch = std::make_unique<kq_batch>();
    batch->kind = KQ_DELIVERIES;
    while (batch->count() < kq_producer::deliveries_per_poll_max) {
      auto deliveries = from.poll();
      if (!deliveries) break;
      batch->add(std::move(*deliveries));
    }
    *out = batch->count() > 0 ? batch.release() : nullptr;
    return nullptr;
  });
}

int kq_producer_fd(const kq_producer* producer) {
  return producer && !producer->forked() ? producer->producer->descriptor() : -1;
}

kq_error* kq_producer_flush(kq_producer* producer, int32_t timeout_ms) {
  return guard_handle(producer, [&]() -> Status {
    client::Producer& of = *producer->producer;
    const uint64_t ticket = of.begin_flush();
    const bool done = producer->driver()->wait(of.progress(), client::deadline_after(timeout_ms), [&] { return of.flushed(ticket); });
    if (!done) return late("flush", of.pending());
    return {};
  });
}

size_t kq_producer_pending(const kq_producer* producer) {
  return producer && !producer->forked() ? producer->producer->pending() : 0;
}

kq_error* kq_producer_partition_count(kq_producer* producer, const char* topic, int32_t timeout_ms, int32_t* out) {
  return guard_handle(producer, [&]() -> Status {
    KQ_API_ARGUMENT(topic);
    KQ_API_ARGUMENT(out);
    const Instant deadline = timeout_ms < 0 ? Clock::now() + producer->api_timeout : client::deadline_after(timeout_ms);
    Result<std::optional<int32_t>> count = std::optional<int32_t>();
    producer->driver()->wait(producer->producer->room(), deadline, [&] {
      count = producer->producer->partition_count(topic);
      return !count || count->has_value();
    });
    if (!count) return std::move(count.error());
    if (!*count) return Error(own_code::timed_out, std::string("topic '") + topic + "' is not known yet", Verdict::retry);
    *out = **count;
    return {};
  });
}

kq_error* kq_producer_close(kq_producer* producer, int32_t timeout_ms) {
  return guard_handle(producer, [&]() -> Status {
    client::Producer& of = *producer->producer;
    const std::lock_guard lock(producer->closing);
    const Instant deadline = client::deadline_after(timeout_ms);
    abort_open_transaction(producer, std::min(deadline, Clock::now() + producer->api_timeout));
    of.begin_close();
    const uint64_t ticket = of.begin_flush();
    const bool done = producer->driver()->wait(of.progress(), deadline, [&] { return of.flushed(ticket); });
    const size_t left = of.pending();
    (void)producer->driver()->await<bool>([&] { return of.engine().end_telemetry(deadline); });
    of.abandon();
    producer->driver()->wait(of.progress(), Instant::max(), [&] { return of.closed(); });
    if (!done && left > 0) return Error(own_code::timed_out, "close: " + std::to_string(left) + " records were given up");
    return {};
  });
}

void kq_producer_free(kq_producer* producer) {
  if (producer && !producer->forked()) kq_error_free(guard([&]() -> Status { return producer->end(), Status{}; }));
  delete producer;
}
