// What a handle counts of its work: by request and by batch, never by record.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <map>

#include "libkq/base/clock.hpp"

namespace kq::client {

// How often values of about a size have come up; a bucket is at most a quarter wider than the values in it.  One thread at a time.
class Histogram {
 public:
  void add(int64_t value) {
    const auto whole = static_cast<uint64_t>(std::max<int64_t>(value, 0));
    ++buckets_[bucket_of(whole)];
    ++count_;
    sum_ += whole;
    max_ = std::max(max_, whole);
  }
  int64_t count() const { return static_cast<int64_t>(count_); }
  int64_t max() const { return static_cast<int64_t>(max_); }
  int64_t mean() const { return count_ == 0 ? 0 : static_cast<int64_t>(sum_ / count_); }
  double average() const { return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_); }
  void add(const Histogram& other) {
    for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
  }
  // What has come since `before`, an earlier state of this one; its largest is known but for the bucket's width.
  Histogram since(const Histogram& before) const {
    Histogram recent;
    for (size_t i = 0; i < buckets_.size(); ++i) {
      recent.buckets_[i] = buckets_[i] - before.buckets_[i];
      if (recent.buckets_[i] > 0) recent.max_ = std::min(bucket_last(i), max_);
    }
    recent.count_ = count_ - before.count_;
    recent.sum_ = sum_ - before.sum_;
    return recent;
  }
  // So many in a thousand are not above it, but for the bucket's width.
  int64_t quantile(int in_thousand) const {
    uint64_t left = (count_ * static_cast<uint64_t>(in_thousand) + 999) / 1000;
    for (size_t i = 0; i < buckets_.size(); ++i) {
      if (buckets_[i] >= left && count_ > 0) return static_cast<int64_t>(std::min(bucket_last(i), max_));
      left -= buckets_[i];
    }
    return 0;
  }
  // Calls with the largest value and the count of each bucket that has any.
  template <class Call>
  void each(const Call& call) const {
    for (size_t i = 0; i < buckets_.size(); ++i)
      if (buckets_[i] > 0) call(static_cast<int64_t>(bucket_last(i)), static_cast<int64_t>(buckets_[i]));
  }

 private:
  static constexpr uint64_t value_max = (uint64_t{1} << 42) - 1;

  // Four to each power of two.
  static constexpr size_t bucket_of(uint64_t value) {
    if (value < 4) return static_cast<size_t>(value);
    value = std::min(value, value_max);
    const int power = static_cast<int>(std::bit_width(value)) - 1;
    return static_cast<size_t>(4 * (power - 1)) + static_cast<size_t>((value >> (power - 2)) & 3);
  }
  static constexpr uint64_t bucket_last(size_t bucket) {
    if (bucket < 4) return bucket;
    const auto power = bucket / 4 + 1;
    return ((bucket % 4 + 5) << (power - 2)) - 1;
  }

  std::array<uint32_t, 164> buckets_{};  // up to 2^42
  uint64_t count_ = 0, sum_ = 0, max_ = 0;
};

// Requests for data (produce, fetch) to one broker.
struct NodeTraffic {
  uint64_t requests = 0, failures = 0, bytes = 0;  // failures: no answer
  int64_t in_flight = 0;
  Histogram latency_us{};

  void began() { ++requests, ++in_flight; }
  void ended(Instant begun, bool answered) {
    --in_flight;
    if (!answered)
      ++failures;
    else
      latency_us.add(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun).count());
  }
};
using NodesTraffic = std::map<int32_t, NodeTraffic>;

inline Histogram latency_of_all(const NodesTraffic& nodes) {
  Histogram all;
  for (const auto& [id, node] : nodes) all.add(node.latency_us);
  return all;
}

// What has gone to, or come from, one partition.
struct PartitionTraffic {
  uint64_t records = 0, failed_records = 0, batches = 0, bytes = 0, retries = 0;
};

}  // namespace kq::client
