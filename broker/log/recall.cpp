// Kafka's snapshots hold a producer's last batch alone, and a client may have five in flight: after a start, or a truncation, the four
// before are found again in the log.
#include <algorithm>

#include "broker/log/log.hpp"

namespace kq::log {
namespace {

// Looked at from the end backwards, in steps: what is in flight when a broker stops is near its end.  Further back than the last step
// nothing is searched, so that opening stays quick: a producer that has written there has had its answers.
constexpr int64_t recall_steps_bytes[] = {256 << 10, 2 << 20, 16 << 20};

}  // namespace

Status Log::recall_producers() {
  if (producers_.forgetful(start_offset()).empty()) return {};
  KQ_TRY_ASSIGN(const Position furthest, position_before_end(std::end(recall_steps_bytes)[-1]));
  Position to{segments_.size() - 1, active().size(), end_offset()};
  for (const int64_t bytes : recall_steps_bytes) {
    if (producers_.forgetful(furthest.offset).empty()) return {};
    KQ_TRY_ASSIGN(const Position from, position_before_end(bytes));
    KQ_TRY(recall_between(from, to));
    to = from;
  }
  return {};
}

Status Log::recall_between(const Position& from, const Position& to) {
  std::vector<int64_t> wanted = producers_.forgetful(from.offset);
  std::sort(wanted.begin(), wanted.end());
  ProducerState earlier;
  for (size_t i = from.segment; i <= to.segment; ++i) {
    Segment& segment = *segments_[i];
    KQ_TRY_ASSIGN(const auto file, segment.file());
    BatchScanner scanner(*file, i == from.segment ? from.position : 0, i == to.segment ? to.position : segment.size(),
                         BatchScanner::scan_buffer);
    for (;;) {
      KQ_TRY_ASSIGN(const Step step, scanner.next());
      if (step != Step::batch) break;
      const BatchView batch = scanner.header();
      if (!batch.has_producer_id() || batch.control()) continue;
      if (std::binary_search(wanted.begin(), wanted.end(), batch.producer_id())) earlier.append(producer_batch(batch));
    }
  }
  for (const int64_t id : wanted)
    if (const Producer* producer = earlier.find(id)) producers_.recall(*producer);
  return {};
}

// Where a batch begins, at that many bytes before the end or a little before.
Result<Log::Position> Log::position_before_end(int64_t bytes) {
  for (size_t i = segments_.size(); i-- > 0;) {
    Segment& segment = *segments_[i];
    if (segment.size() >= bytes) {
      KQ_TRY_ASSIGN(const OffsetEntry entry, segment.entry_before(segment.size() - bytes));
      return Position{i, entry.position, entry.offset};
    }
    bytes -= segment.size();
  }
  return Position{0, 0, segments_.front()->base_offset()};
}

}  // namespace kq::log
