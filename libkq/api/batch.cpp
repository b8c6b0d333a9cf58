#include "libkq/api/batch.hpp"

using namespace kq;

// As elsewhere, nothing is thrown at C: where memory ends, the records are not there.
const kq_record* kq_batch::at(size_t index) const {
  if (index >= count()) return nullptr;
  if (kind != KQ_DELIVERIES) return &records[index];
  try {
    if (delivered_.empty()) spell_out();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  return &delivered_[index];
}

const kq_error* kq_batch::error(size_t index) const {
  if (index < failures.size() && failures[index]) return event_error(index);
  if (!any_failed_ || !at(index)) return nullptr;
  return errors_[index].get();
}

// Of an event's row.  Where memory ends it has at least an error.
const kq_error* kq_batch::event_error(size_t index) const {
  try {
    errors_.resize(failures.size());
    if (!errors_[index])
      errors_[index] =
          std::make_shared<const kq_error>(kq_error::of(*failures[index], records[index].topic, records[index].partition));
    return errors_[index].get();
  } catch (const std::bad_alloc&) {
    return kq::api::no_memory_error();
  }
}

void kq_batch::spell_out() const {
  std::vector<kq_record> all;
  all.reserve(delivery_count_);
  for (client::Deliveries& each : deliveries_) spell_out(each, all);
  delivered_ = std::move(all);
}

void kq_batch::spell_out(client::Deliveries& of_a_batch, std::vector<kq_record>& into) const {
  const Error* last_error = nullptr;                 // most of a batch shares one
  std::shared_ptr<const kq_error> shared;
  for (size_t i = 0; i < of_a_batch.count(); ++i) {
    const client::Delivery delivery = of_a_batch.at(i);
    kq_header* headers = nullptr;
    const auto header_count = static_cast<size_t>(delivery.headers.size());
    if (header_count > 0) {
      headers = headers_.headers(header_count);
      size_t n = 0;
      for (const RecordHeader& header : delivery.headers)
        headers[n++] = {header.key.data(), header.key.size(), header.value.data(), header.value.size()};
    }
    into.push_back({.size = sizeof(kq_record), .topic = delivery.topic->c_str(), .partition = delivery.partition,
                    .offset = delivery.offset, .timestamp_ms = delivery.timestamp_ms, .key = delivery.key.data(),
                    .key_len = delivery.key.size(), .value = delivery.value.data(), .value_len = delivery.value.size(),
                    .headers = headers, .header_count = header_count, .tag = delivery.tag, .leader_epoch = -1, .delivery_count = 0,
                    .timestamp_type = static_cast<int8_t>(delivery.timestamp_type)});
    if (!any_failed_) continue;
    if (delivery.error != last_error) {
      shared = delivery.error ? std::make_shared<const kq_error>(kq_error::of(*delivery.error, *delivery.topic, delivery.partition)) : nullptr;
      last_error = delivery.error;
    }
    errors_.push_back(shared);
  }
}

kq_batch_kind kq_batch_kind_of(const kq_batch* batch) { return batch ? batch->kind : KQ_NOTHING; }
kq_event kq_batch_event(const kq_batch* batch) { return batch ? batch->event : KQ_NO_EVENT; }
size_t kq_batch_count(const kq_batch* batch) { return batch ? batch->count() : 0; }
const kq_record* kq_batch_at(const kq_batch* batch, size_t index) { return batch ? batch->at(index) : nullptr; }
const kq_error* kq_batch_error(const kq_batch* batch, size_t index) { return batch ? batch->error(index) : nullptr; }
void kq_batch_free(kq_batch* batch) { delete batch; }
