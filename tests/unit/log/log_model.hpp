// The simplest thing that a log could be: a list of batches.  What the real one must agree with.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "tests/unit/log/support.hpp"

namespace kq::test {

struct ModelBatch {
  Memory bytes;
  BatchView view() const { return BatchView{bytes}; }
};

struct LogModel {
  std::vector<ModelBatch> batches;              // those below the start included
  int64_t first = 0;                            // where it began, before anything was removed
  int64_t start = 0, end = 0, high_watermark = 0;

  void add(Bytes run) {
    BatchView batch;
    while (next_batch(run, batch) == Step::batch) {
      batches.push_back({{batch.bytes().begin(), batch.bytes().end()}});
      end = batch.next_offset();
    }
  }
  // Cuts whole batches.
  void truncate(int64_t offset) {
    if (offset >= end) return;
    while (!batches.empty() && batches.back().view().last_offset() >= offset) batches.pop_back();
    end = std::max(last_written() + 1, first);
    start = std::min(start, end);
    high_watermark = std::min(high_watermark, end);
  }
  // The first batch that holds `offset` or comes after it.
  size_t find(int64_t offset) const {
    size_t i = 0;
    while (i < batches.size() && batches[i].view().last_offset() < offset) ++i;
    return i;
  }
  int64_t last_written() const { return batches.empty() ? -1 : batches.back().view().last_offset(); }

  struct Transaction {
    int64_t producer_id, first_offset, last_offset;
    bool aborted;
  };
  std::vector<Transaction> ended() const { return replay().ended; }
  std::map<int64_t, int64_t> open() const { return replay().open; }     // producer → first offset
  int64_t last_stable_offset() const {
    int64_t stable = high_watermark;
    const auto [ended, open] = replay();
    for (const auto& [producer, first] : open) stable = std::min(stable, first);
    for (const Transaction& each : ended) {
      if (each.last_offset >= high_watermark) stable = std::min(stable, each.first_offset);
    }
    return std::max(stable, start);
  }

 private:
  struct Replay {
    std::vector<Transaction> ended;
    std::map<int64_t, int64_t> open;
  };
  Replay replay() const {
    Replay found;
    for (const ModelBatch& batch : batches) {
      const BatchView view = batch.view();
      if (!view.transactional()) continue;
      if (!view.control()) {
        found.open.try_emplace(view.producer_id(), view.base_offset());
      } else if (const auto open = found.open.find(view.producer_id()); open != found.open.end()) {
        const bool commit = log::producer_batch(view).marker->commit;
        found.ended.push_back({view.producer_id(), open->second, view.base_offset(), !commit});
        found.open.erase(open);
      }
    }
    return found;
  }
};

}  // namespace kq::test
