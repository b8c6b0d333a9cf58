#include "libkq/client/deliveries.hpp"

#include "libkq/record/batch_reader.hpp"

namespace kq::client {

Deliveries::Deliveries(BatchRef batch) : batch_(std::move(batch)) {
  if (batch_->record_errors.empty()) return;
  beside_.emplace(batch_->error->code(), "refused because of another record in its batch: " + batch_->record_errors.front().error.message(),
                  batch_->error->verdict());
}

const Error* Deliveries::error_of(int32_t index) const {
  if (!batch_->error) return nullptr;
  for (const auto& each : batch_->record_errors)
    if (each.index == index) return &each.error;
  return beside_ ? &*beside_ : &*batch_->error;
}

Delivery Deliveries::at(size_t at) {
  const auto index = static_cast<int32_t>(at);
  const bool append_time = batch_->log_append_time >= 0;
  Delivery delivery;
  delivery.topic = batch_->topic.get();
  delivery.partition = batch_->partition;
  delivery.tag = batch_->notes.tag(index);
  delivery.timestamp_ms = append_time ? batch_->log_append_time : batch_->notes.timestamp(index);
  delivery.timestamp_type = append_time ? TimestampType::log_append : TimestampType::create;
  delivery.error = error_of(index);
  if (!delivery.error) {
    if (batch_->base_offset >= 0) delivery.offset = batch_->base_offset + index;
    return delivery;
  }
  if (records_.empty()) decode();
  if (at < records_.size()) {
    const RecordView& record = records_[at];
    delivery.key = record.key;
    delivery.value = record.value;
    delivery.headers = record.headers;
  }
  return delivery;
}

void Deliveries::decode() {
  BatchReader reader({.check_crc = false});
  if (!reader.open(BatchView(batch_->readable()), plain_)) return;
  for (RecordView record; reader.next(record);) records_.push_back(record);
}

}  // namespace kq::client
