// What became of the records of a batch, as poll hands it out.
#pragma once

#include <vector>

#include "libkq/client/producer_batch.hpp"
#include "libkq/record/record.hpp"

namespace kq::client {

// Views hold as long as the Deliveries they came from.
struct Delivery {
  const std::string* topic = nullptr;
  int32_t partition = -1;
  int64_t offset = -1;                               // -1: failed, or not known (acks=0)
  int64_t timestamp_ms = -1;
  TimestampType timestamp_type = TimestampType::create;
  uint64_t tag = 0;
  const Error* error = nullptr;                      // null: delivered
  Bytes key{};                                       // these three of a failed record alone
  Bytes value{};
  RecordHeaders headers{};
};

// The records of one batch.  Independent of the producer, and one thread's at a time.
class Deliveries {
 public:
  explicit Deliveries(BatchRef batch);

  size_t count() const { return static_cast<size_t>(batch_->count()); }
  bool failed() const { return batch_->error.has_value(); }        // at least one of them
  Delivery at(size_t index);                         // index < count()

 private:
  const Error* error_of(int32_t index) const;
  void decode();                                     // the records of a failed batch, when one is first asked for

  BatchRef batch_;
  std::vector<RecordView> records_;
  Block plain_;                                      // of a compressed batch
  std::optional<Error> beside_;                      // of records that failed because of another one
};

}  // namespace kq::client
