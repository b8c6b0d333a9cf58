// What poll hands out: records and whatever keeps them alive.  kq_batch is one of these.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "include/kq/kq.h"
#include "libkq/base/result.hpp"
#include "libkq/client/fetch_memory.hpp"

namespace kq::client {

// Told once that the application is done with a batch: by its word, or by freeing the batch.
class Acknowledgement {
 public:
  explicit Acknowledgement(std::function<void()> call) : call_(std::move(call)) {}
  ~Acknowledgement() { give(); }
  Acknowledgement(const Acknowledgement&) = delete;

  void give() {
    if (const auto call = std::exchange(call_, nullptr)) call();
  }

 private:
  std::function<void()> call_;
};

// How far a batch goes in a partition.
struct BatchEnd {
  std::shared_ptr<const std::string> topic;
  int32_t partition;
  int64_t next_offset;
};

// Self-contained: it may outlive the handle it came from, and be freed by any thread.  Filled by one thread, then never changed.
struct Batch {
  kq_batch_kind kind = KQ_RECORDS;
  kq_event event = KQ_NO_EVENT;
  std::vector<kq_record> records{};
  std::vector<Held> held{};                          // what the records point into: frames, blocks, names
  std::vector<BatchEnd> ends{};                      // received records, where offsets are kept account of
  std::unique_ptr<Acknowledgement> acknowledgement{};              // of a revocation
  std::vector<std::optional<Error>> failures{};      // by row; empty: all went well

  // Room for the headers of one record; never moves.
  kq_header* headers(size_t count) {
    if (count > header_room_) {
      const size_t size = count > header_chunk ? count : header_chunk;
      header_chunks_.push_back(std::make_unique<kq_header[]>(size));
      next_header_ = header_chunks_.back().get();
      header_room_ = size;
    }
    header_room_ -= count;
    return std::exchange(next_header_, next_header_ + count);
  }
  void hold(const Held& what) {
    if (what && (held.empty() || held.back() != what)) held.push_back(what);
  }

 private:
  static constexpr size_t header_chunk = 128;
  std::vector<std::unique_ptr<kq_header[]>> header_chunks_;
  kq_header* next_header_ = nullptr;
  size_t header_room_ = 0;
};

}  // namespace kq::client
