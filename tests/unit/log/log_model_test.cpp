// A log under seeded random operations, on a disk that fails, fills up, stops and forgets, against a list of batches.
//
//   KQ_SEEDS=n runs n seeds; KQ_SEED=n runs that one alone and tells what it does.
#include <cstdio>
#include <cstdlib>

#include "tests/unit/log/log_model.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::test;

namespace {

constexpr int64_t producers = 4;

struct Wrong {
  std::string what;
};

void must(bool holds, const std::string& what) {
  if (!holds) throw Wrong{what};
}

log::LogConfig small_config(Random& random) {
  return {.segment_bytes = 1000 + static_cast<int64_t>(random.below(3000)), .segment_ms = random.one_in(2) ? 50 : 1'000'000,
          .segment_jitter_ms = random.one_in(3) ? 20 : 0, .segment_index_bytes = 64 + static_cast<int64_t>(random.below(200)),
          .index_interval_bytes = static_cast<int64_t>(random.below(600)), .file_delete_delay_ms = 0};
}

class Story {
 public:
  explicit Story(uint64_t seed) : random_(seed), bed_(small_config(random_)), loud_(std::getenv("KQ_SEED") != nullptr) {
    bed_.open(false);
  }

  void run(int steps) {
    for (step_ = 0; step_ < steps; ++step_) {
      if (random_.one_in(12)) arm_fault();
      act();
      disarm();
      if (bed_.log->failed()) reopen(false, false);
      check_points();
      if (random_.one_in(8)) check_all();
    }
    check_all();
  }

  // For a person: the batches, and the files.
  void show() {
    if (!loud_) return;
    for (const ModelBatch& batch : model_.batches) {
      const BatchView view = batch.view();
      std::fprintf(stderr, "  batch %ld..%ld  epoch %d  %zu bytes  time %ld..%ld  producer %ld\n", static_cast<long>(view.base_offset()),
                   static_cast<long>(view.last_offset()), view.leader_epoch(), view.size(), static_cast<long>(view.base_timestamp() - first_clock),
                   static_cast<long>(view.max_timestamp() - first_clock), static_cast<long>(view.producer_id()));
    }
    for (const auto& entry : bed_.log->epochs().entries())
      std::fprintf(stderr, "  epoch %d from %ld\n", entry.epoch, static_cast<long>(entry.start_offset));
    auto entries = bed_.files.list("/data/t-0");
    if (!entries) return;
    for (const auto& entry : *entries) {
      auto size = bed_.files.size("/data/t-0/" + entry.name);
      std::fprintf(stderr, "  %s  %lu bytes\n", entry.name.c_str(), static_cast<unsigned long>(size ? *size : 0));
    }
  }

  int step_ = 0;

 private:
  static constexpr int64_t first_clock = 1'700'000'000'000;
  struct Sequence {
    int16_t epoch = 0;
    int32_t next = 0;
    bool open = false;
  };

  void tell(const std::string& what) {
    if (loud_) std::fprintf(stderr, "%3d  %s  [%ld, %ld)\n", step_, what.c_str(), static_cast<long>(model_.start), static_cast<long>(model_.end));
  }
  int64_t below(int64_t bound) { return static_cast<int64_t>(random_.below(static_cast<uint64_t>(bound))); }

  void arm_fault() {
    if (random_.one_in(2)) {
      bed_.files.fail_operation(1 + random_.below(6));
      faulty_ = true;
    } else if (random_.one_in(2)) {
      bed_.files.set_capacity(random_.below(3000));
      faulty_ = true;
    } else {
      stop_in_ = 1 + random_.below(6);
      bed_.files.on_operation([this](const char*, const std::string&) {
        if (stop_in_ > 0 && --stop_in_ == 0) bed_.files.stop();
      });
      faulty_ = true;
    }
    tell("a fault is near");
  }
  void disarm() {
    bed_.files.fail_operation(0);
    bed_.files.set_capacity(UINT64_MAX);
    bed_.files.on_operation(nullptr);
    stop_in_ = 0;
    if (bed_.files.stopped()) reopen(false, random_.one_in(2));
    faulty_ = false;
  }

  void act() {
    switch (random_.below(20)) {
      case 0: case 1: case 2: case 3: return append();
      case 4: case 5: return append_idempotent();
      case 6: case 7: return append_transactional();
      case 8: return append_as_follower();
      case 9: return truncate();
      case 10: return random_.one_in(4) ? truncate_fully() : raise_start();
      case 11: return new_epoch();
      case 12: return roll();
      case 13: return flush(log::FlushKind::data);
      case 14: return flush(log::FlushKind::recovery_point);
      case 15: return pin_slice();
      case 16: return move_high_watermark();
      case 17: return reopen(true, false);
      case 18: return reopen(false, random_.one_in(2));
      default: return expire();
    }
  }

  // What was appended, unless the fault showed; a write that failed may all the same have come to the disk when the disk then stops.
  void appended(const Result<log::AppendResult>& result, const Memory& bytes) {
    maybe_tail_.clear();
    if (!result.ok()) {
      must(faulty_, "an append failed for no reason");
      if (bed_.files.stopped()) maybe_tail_ = bytes;
      else if (!bed_.log->failed()) must(bed_.log->end_offset() == model_.end, "a refused append moved the end");
      else maybe_tail_ = bytes;
      return;
    }
    if (static_cast<int64_t>(bytes.size()) > bed_.config.segment_bytes)
      return must(result->code == Code::record_list_too_large, "more than a segment holds was taken");
    // Where the start came back, so did batches of a producer that had been forgotten since, and began anew.
    if (result->duplicate && model_.start < highest_start_) return;
    must(result->code == Code::none && !result->duplicate, "an append was refused: " + std::to_string(static_cast<int>(result->code)));
    must(result->first_offset == BatchView{bytes}.base_offset(), "an append got other offsets");
    model_.add(bytes);
  }

  BatchSpec some_batch() {
    clock_ += below(30) - 5;
    return {.records = 1 + static_cast<int>(random_.below(5)), .value_bytes = random_.below(random_.one_in(10) ? 500 : 60),
            .timestamp = clock_, .seed = random_.next()};
  }

  Result<log::AppendResult> append_bytes(Memory& bytes, log::AppendOrigin origin) {
    set_base_offset(bytes, model_.end);
    set_leader_epoch(bytes, epoch_);
    return bed_.log->append_as_leader(bytes, epoch_, bed_.now_ms, {.origin = origin});
  }

  void append() {
    tell("append");
    Memory bytes = make_batch(some_batch());
    appended(append_bytes(bytes, log::AppendOrigin::client), bytes);
  }

  void append_idempotent() {
    const int64_t id = below(producers);
    Sequence& sequence = sequences_[id];
    BatchSpec spec = some_batch();
    spec.producer_id = id;
    spec.producer_epoch = sequence.epoch;
    spec.sequence = sequence.next;
    const log::Producer* known = bed_.log->producers().find(id);
    if (known && random_.one_in(4)) {                      // a gap
      spec.sequence += 1 + static_cast<int32_t>(random_.below(100));
      tell("append with a gap");
      Memory bytes = make_batch(spec);
      auto result = append_bytes(bytes, log::AppendOrigin::client);
      if (!result.ok()) return must(faulty_, "a gap failed for no reason");
      return must(result->code == Code::out_of_order_sequence_number, "a gap in a producer's sequence was taken");
    }
    if (known && known->last_batch() && random_.one_in(4)) return repeat(*known);
    if (known && random_.one_in(8)) {
      ++sequence.epoch;
      sequence.next = spec.sequence = 0;
      spec.producer_epoch = sequence.epoch;
    }
    tell("append by a producer");
    spec.transactional = sequence.open;
    Memory bytes = make_batch(spec);
    appended(append_bytes(bytes, log::AppendOrigin::client), bytes);
    learn_sequences();
  }

  void repeat(const log::Producer& known) {
    tell("repeat");
    const log::BatchMetadata held = *known.last_batch();
    BatchSpec spec = some_batch();
    spec.records = held.offset_delta + 1;
    spec.producer_id = known.id;
    spec.producer_epoch = known.epoch;
    spec.sequence = held.first_sequence();
    Memory bytes = make_batch(spec);
    auto result = append_bytes(bytes, log::AppendOrigin::client);
    if (!result.ok()) return must(faulty_, "a repeat failed for no reason");
    must(result->duplicate && result->first_offset == held.first_offset() && result->last_offset == held.last_offset,
         "a repeat was not answered with the offsets of the first time");
  }

  void append_transactional() {
    const int64_t id = below(producers);
    Sequence& sequence = sequences_[id];
    if (sequence.open && random_.one_in(2)) {
      tell("end of a transaction");
      Memory bytes = make_marker({.producer_id = id, .producer_epoch = sequence.epoch, .commit = random_.one_in(2), .timestamp = clock_});
      appended(append_bytes(bytes, log::AppendOrigin::coordinator), bytes);
    } else {
      tell("append in a transaction");
      BatchSpec spec = some_batch();
      spec.producer_id = id;
      spec.producer_epoch = sequence.epoch;
      spec.sequence = sequence.next;
      spec.transactional = true;
      Memory bytes = make_batch(spec);
      appended(append_bytes(bytes, log::AppendOrigin::client), bytes);
    }
    learn_sequences();
  }

  void append_as_follower() {
    tell("append as given");
    Memory run;
    int64_t offset = model_.end;
    for (uint64_t left = 1 + random_.below(3); left > 0; --left) {
      if (random_.one_in(3)) offset += below(20);
      if (random_.one_in(4)) ++epoch_;
      BatchSpec spec = some_batch();
      spec.base_offset = offset;
      spec.leader_epoch = epoch_;
      spec.value_bytes = std::min<size_t>(spec.value_bytes, 40);
      const Memory bytes = make_batch(spec);
      run.insert(run.end(), bytes.begin(), bytes.end());
      offset += spec.records;
    }
    const size_t whole = run.size();
    if (random_.one_in(3)) run.insert(run.end(), run.begin(), run.begin() + 30);      // a cut-off batch behind them
    auto result = bed_.log->append_as_follower(run, bed_.now_ms);
    run.resize(whole);
    appended(result, run);
  }

  void truncate() {
    const int64_t offset = random_.one_in(3) ? below(model_.end + 3) : std::max<int64_t>(model_.end - below(30), 0);
    tell("truncate to " + std::to_string(offset));
    LogModel after = model_;
    after.first = bed_.log->first_segment_offset();
    auto end = bed_.log->end_after_truncation(offset);
    if (!end) return must(faulty_, "a look-up failed for no reason");
    persisted_recovery_point_ = std::min(persisted_recovery_point_, *end);
    const bool fully = offset < bed_.log->first_segment_offset();
    fully ? after.batches.clear() : after.truncate(offset);
    if (fully) after.first = after.start = after.end = after.high_watermark = offset;
    Status cut = bed_.log->truncate_to(offset, bed_.now_ms);
    if (!cut) {
      must(faulty_, "a truncation failed for no reason: " + cut.error().message());
      halfway_ = fully ? -1 : after.end;
      if (!bed_.log->failed() && !bed_.files.stopped()) reopen(false, false);
      return;
    }
    model_ = std::move(after);
    promised_ = std::min(promised_, model_.end);
    if (persisted_start_) persisted_start_ = std::min(*persisted_start_, model_.start);
    must(*end == model_.end || fully, "the end after a truncation was foretold otherwise");
    forget_epochs();
    learn_sequences();
  }

  void truncate_fully() {
    const int64_t offset = below(model_.end + 50);
    tell("start anew at " + std::to_string(offset));
    persisted_recovery_point_ = 0;
    Status cut = bed_.log->truncate_fully_and_start_at(offset, bed_.now_ms);
    if (!cut) {
      must(faulty_, "starting anew failed for no reason");
      halfway_ = -1;
      return;
    }
    persisted_start_.reset();
    bed_.start_offset = offset;
    persisted_start_ = offset;
    model_ = {.batches = {}, .first = offset, .start = offset, .end = offset, .high_watermark = offset};
    epoch_ = 0;
    promised_ = offset;
    learn_sequences();
  }

  void raise_start() {
    if (model_.end == model_.start) return;
    const int64_t offset = model_.start + below(model_.end - model_.start + 1);
    tell("raise the start to " + std::to_string(offset));
    Status raised = bed_.log->raise_start(offset, bed_.now_ms);
    model_.start = std::max(model_.start, offset);
    model_.high_watermark = std::max(model_.high_watermark, model_.start);
    if (!raised) must(faulty_, "raising the start failed for no reason");
    else if (random_.one_in(2)) persisted_start_ = model_.start;
    for (const auto& removal : bed_.log->take_removals()) (void)bed_.files.remove(removal.path).ok();
  }

  void new_epoch() {
    tell("a new leader epoch");
    bed_.log->assign_epoch(++epoch_);
  }

  void roll() {
    tell("roll");
    if (Status rolled = bed_.log->roll(bed_.now_ms); !rolled) must(faulty_, "rolling failed for no reason");
  }

  void flush(log::FlushKind kind) {
    tell(kind == log::FlushKind::data ? "flush" : "flush all");
    auto work = bed_.log->prepare_flush(kind);
    if (!work) return must(faulty_, "preparing a flush failed for no reason");
    const auto meanwhile = random_.below(6);
    const int opens = opens_;
    if (meanwhile == 0) append();
    if (meanwhile == 1) truncate();
    if (opens_ != opens || bed_.log->failed() || bed_.files.stopped() || halfway_) return;
    Status outcome = work->run();
    bed_.log->flushed(*work, outcome);
    if (!outcome) return must(faulty_, "a flush failed for no reason");
    promised_ = bed_.log->synced_offset();
    if (meanwhile > 1) must(bed_.log->synced_offset() == model_.end, "a flush did not move the synced offset");
    if (kind == log::FlushKind::recovery_point && random_.one_in(2)) persisted_recovery_point_ = bed_.log->recovery_point();
  }

  void pin_slice() {
    if (pinned_.size() > 3) pinned_.erase(pinned_.begin());
    auto read = bed_.log->read({.offset = model_.start, .bytes_max = 500, .upper_offset = model_.end});
    if (!read || read->slice.empty()) return;
    tell("a reader takes its time");
    pinned_.push_back({read->slice, read_slice(read->slice)});
  }

  void move_high_watermark() {
    const int64_t offset = model_.start + below(model_.end - model_.start + 1);
    bed_.log->set_high_watermark(offset);
    model_.high_watermark = offset;
    must(bed_.log->last_stable_offset() <= offset, "the last stable offset is above the high watermark");
  }

  void expire() {
    // Producers' clocks are their records' timestamps; nobody is that late.
    bed_.log->expire_producers(clock_);
  }

  // A clean stop and start, a kill, or a power cut.
  void reopen(bool clean, bool power_cut) {
    pinned_.clear();
    ++opens_;
    if (clean) {
      Status closed = bed_.log->close();
      if (!closed) {
        must(faulty_, "a clean stop failed for no reason");
        clean = false;
      } else {
        persisted_recovery_point_ = bed_.log->recovery_point();
        must(persisted_recovery_point_ == model_.end, "a clean stop left the recovery point elsewhere");
        persisted_start_ = model_.start;
        promised_ = model_.end;
      }
    }
    tell(clean ? "stop and start" : power_cut ? "power cut" : "kill");
    bed_.log.reset();
    if (power_cut) bed_.files.crash(random_);
    else bed_.files.restart();
    bed_.files.on_operation(nullptr);
    bed_.files.set_capacity(UINT64_MAX);
    bed_.start_offset = persisted_start_;
    Status opened = bed_.try_open(clean, persisted_recovery_point_);
    must(opened.ok(), opened.ok() ? "" : "a log does not open: " + opened.error().message());
    settle(clean, power_cut);
    bed_.log->set_high_watermark(model_.high_watermark);
  }

  // What came back is told to the model, once it is seen to be right.
  void settle(bool clean, bool power_cut) {
    if (!maybe_tail_.empty()) {
      LogModel longer = model_;
      longer.add(maybe_tail_);
      if (bed_.log->end_offset() > model_.last_written() + 1 && !longer.batches.empty() &&
          bed_.log->end_offset() <= longer.end && bed_.log->end_offset() > model_.end)
        model_ = longer;
      maybe_tail_.clear();
    }
    const log::Log& log = *bed_.log;
    if (halfway_ && log.first_segment_offset() == log.end_offset()) {  // nothing is left, wherever it goes on
      model_.batches.clear();
      model_.first = model_.start = model_.end = log.end_offset();
    }
    must(log.end_offset() <= model_.end, "a log came back longer than it was: " + std::to_string(log.end_offset()));
    int64_t least = power_cut ? std::min(promised_, model_.last_written() + 1) : model_.last_written() + 1;
    if (halfway_ && *halfway_ >= 0) least = std::min(least, *halfway_);
    if (halfway_ && *halfway_ < 0) least = 0;
    if (clean) least = model_.end;
    must(log.end_offset() >= std::min(least, model_.end), "a log came back shorter than it must be: " + std::to_string(log.end_offset()));
    const int64_t end = log.end_offset();
    while (!model_.batches.empty() && model_.batches.back().view().last_offset() >= end) model_.batches.pop_back();
    model_.end = end;
    promised_ = std::min(promised_, end);
    must(log.start_offset() <= std::max(model_.start, end) || halfway_.has_value(), "a start rose over a restart");
    model_.start = log.start_offset();
    if (persisted_start_ && *persisted_start_ > model_.start) persisted_start_.reset();
    model_.high_watermark = std::clamp(model_.high_watermark, model_.start, model_.end);
    halfway_.reset();
    forget_epochs();
    learn_sequences();
  }

  // Epochs and sequences go on from what the log has.
  void forget_epochs() { epoch_ = std::max(epoch_, bed_.log->epochs().latest().value_or(0)); }
  void learn_sequences() {
    sequences_.clear();
    for (const log::Producer& producer : bed_.log->producers().all()) {
      Sequence& sequence = sequences_[producer.id];
      sequence.epoch = producer.epoch;
      sequence.next = producer.last_batch() ? sequence_plus(producer.last_sequence(), 1) : 0;
      sequence.open = producer.transaction_first_offset >= 0;
    }
  }

  void check_points() {
    const log::Log& log = *bed_.log;
    must(log.start_offset() == model_.start, "start " + std::to_string(log.start_offset()));
    must(log.end_offset() == model_.end, "end " + std::to_string(log.end_offset()));
    must(log.high_watermark() == model_.high_watermark, "high watermark " + std::to_string(log.high_watermark()));
    must(log.synced_offset() <= model_.end && log.recovery_point() <= log.synced_offset(), "synced " + std::to_string(log.synced_offset()) + ", recovery point " + std::to_string(log.recovery_point()) + ", end " + std::to_string(model_.end));
    highest_start_ = std::max(highest_start_, model_.start);
    // A transaction that ended above the high watermark holds it back until the log is read again.
    int64_t first_open = model_.high_watermark;
    for (const auto& [producer, first] : model_.open()) first_open = std::min(first_open, first);
    const int64_t unstable = log.producers().first_unstable_offset().value_or(highest_start_);
    must(log.last_stable_offset() >= model_.last_stable_offset() || unstable < highest_start_, "the last stable offset is too low");
    must(log.last_stable_offset() <= std::max(first_open, model_.start) || first_open < highest_start_, "the last stable offset is too high: " + std::to_string(log.last_stable_offset()) + ", not " + std::to_string(first_open));
    for (const auto& [slice, bytes] : pinned_) must(read_slice(slice) == bytes, "the bytes of a slice changed");
  }

  void check_all() {
    check_reads();
    check_times();
    check_epochs();
    check_producers();
    check_aborted();
  }

  void check_reads() {
    for (int i = 0; i < 6; ++i) {
      const int64_t offset = model_.start + below(model_.end - model_.start + 1);
      const size_t first = model_.find(offset);
      size_t last = first + random_.below(model_.batches.size() - std::min(first, model_.batches.size()) + 1);
      last = std::min(last, model_.batches.size());
      const int64_t upper = last < model_.batches.size() ? model_.batches[last].view().base_offset() : model_.end;
      const size_t bytes_max = random_.below(1500);
      auto read = bed_.log->read({.offset = offset, .bytes_max = bytes_max, .upper_offset = upper, .whole_first_batch = random_.one_in(2)});
      must(read.ok() && read->code == Code::none, "a read failed");
      if (read->slice.empty()) {
        must(first >= last || offset >= upper || bytes_max < model_.batches[first].bytes.size(), "a read found nothing at " + std::to_string(offset) + " below " + std::to_string(upper));
        continue;
      }
      Memory expected;
      for (size_t at = first; at < last; ++at) expected.insert(expected.end(), model_.batches[at].bytes.begin(), model_.batches[at].bytes.end());
      const Memory got = read_slice(read->slice);
      must(got.size() == read->slice.length && got.size() <= expected.size() && std::equal(got.begin(), got.end(), expected.begin()),
           "a read gave other bytes, at offset " + std::to_string(offset));
      must(read->slice.base_offset == model_.batches[first].view().base_offset(), "a slice's base offset");
      must(got.size() >= model_.batches[first].bytes.size(), "the first batch did not come whole");
    }
    must(bed_.log->read({.offset = model_.end + 1, .bytes_max = 1, .upper_offset = model_.end})->code == Code::offset_out_of_range,
         "an offset above the end can be read");
    if (model_.start > 0)
      must(bed_.log->read({.offset = model_.start - 1, .bytes_max = 1, .upper_offset = model_.end})->code == Code::offset_out_of_range,
           "an offset below the start can be read");
  }

  // Records follow by a millisecond in a batch.
  std::optional<log::TimestampOffset> expected_at(int64_t timestamp, bool exactly) const {
    for (const ModelBatch& batch : model_.batches) {
      const BatchView view = batch.view();
      for (int32_t i = 0; i <= view.last_offset_delta(); ++i) {
        const int64_t at = view.base_timestamp() + i, offset = view.base_offset() + i;
        if (offset < model_.start || (exactly ? at != timestamp : at < timestamp)) continue;
        return log::TimestampOffset{at, offset, view.leader_epoch()};
      }
    }
    return std::nullopt;
  }

  void check_times() {
    const int64_t timestamp = clock_ - below(200) + 20;
    auto search = bed_.log->search_timestamp(timestamp);
    must(search.ok(), "a search by time failed");
    auto found = search->run();
    must(found.ok(), "a search by time failed");
    const auto expected = expected_at(timestamp, false);
    must(found->has_value() == expected.has_value(), "a search by time found what is not there, or not what is");
    if (expected) must((*found)->offset == expected->offset && (*found)->timestamp == expected->timestamp, "a search by time found " + std::to_string((*found)->offset) + ", not " + std::to_string(expected->offset));

    int64_t largest = -1;
    bool below_start = false;
    for (const ModelBatch& batch : model_.batches) {
      if (batch.view().last_offset() < model_.start) continue;
      below_start = below_start || batch.view().base_offset() < model_.start;
      largest = std::max(largest, batch.view().max_timestamp());
    }
    auto largest_search = bed_.log->search_largest_timestamp();
    must(largest_search.ok(), "a search for the largest timestamp failed");
    auto largest_found = largest_search->run();
    must(largest_found.ok(), "a search for the largest timestamp failed");
    if (largest >= 0 && !below_start && model_.start == bed_.log->first_segment_offset())
      must(*largest_found && (*largest_found)->timestamp == largest && (*largest_found)->offset == expected_at(largest, true)->offset,
           "another largest timestamp");
  }

  void check_epochs() {
    const auto& entries = bed_.log->epochs().entries();
    for (size_t i = 1; i < entries.size(); ++i)
      must(entries[i].epoch > entries[i - 1].epoch && entries[i].start_offset > entries[i - 1].start_offset, "epochs do not ascend");
    for (const ModelBatch& batch : model_.batches) {
      const BatchView view = batch.view();
      if (view.base_offset() < highest_start_) continue;       // forgotten, even if the start comes back
      must(bed_.log->epochs().epoch_at(view.base_offset()) == view.leader_epoch(), "offset " + std::to_string(view.base_offset()) + " is of another epoch");
    }
  }

  void check_producers() {
    log::ProducerState expected;
    std::set<int64_t> unsure;                  // of these something lies below the start
    for (const ModelBatch& batch : model_.batches) {
      if (!batch.view().has_producer_id()) continue;
      if (batch.view().base_offset() < highest_start_) unsure.insert(batch.view().producer_id());
      if (const auto ended = expected.append(log::producer_batch(batch.view()))) expected.complete(*ended);
    }
    for (const log::Producer& producer : expected.all()) {
      if (unsure.contains(producer.id)) continue;
      const log::Producer* known = bed_.log->producers().find(producer.id);
      must(known != nullptr, "a producer was forgotten");
      must(known->epoch == producer.epoch && known->last_sequence() == producer.last_sequence() && known->last_offset() == producer.last_offset() &&
               known->transaction_first_offset == producer.transaction_first_offset && known->last_timestamp == producer.last_timestamp,
           "a producer is remembered otherwise");
      const auto same = [](const log::BatchMetadata& a, const log::BatchMetadata& b) {
        return a.last_offset == b.last_offset && a.offset_delta == b.offset_delta && a.last_sequence == b.last_sequence;
      };
      must(std::equal(known->batches, known->batches + known->batch_count, producer.batches, producer.batches + producer.batch_count, same),
           "of a producer's last batches some are forgotten");
    }
  }

  void check_aborted() {
    const int64_t offset = model_.start + below(model_.end - model_.start + 1);
    auto read = bed_.log->read({.offset = offset, .bytes_max = 800, .upper_offset = model_.end});
    if (!read || read->slice.empty()) return;
    auto listed = bed_.log->aborted_transactions(offset, read->slice);
    must(listed.ok(), "listing aborted transactions failed");
    const Memory bytes = read_slice(read->slice);
    Bytes rest = bytes;
    BatchView batch;
    int64_t last = offset;
    while (next_batch(rest, batch) == Step::batch) last = batch.last_offset();
    for (const LogModel::Transaction& each : model_.ended()) {
      if (!each.aborted || each.first_offset < highest_start_ || each.last_offset < offset || each.first_offset > last) continue;
      must(std::any_of(listed->begin(), listed->end(), [&](const auto& one) {
             return one.producer_id == each.producer_id && one.first_offset == each.first_offset;
           }), "an aborted transaction is not listed");
    }
    for (const auto& one : *listed) {
      const auto ended = model_.ended();
      must(one.first_offset < model_.start || std::any_of(ended.begin(), ended.end(), [&](const auto& each) {
             // Of one that began below the start a log may remember but the rest.
             return each.aborted && one.producer_id == each.producer_id && each.last_offset >= offset &&
                    (one.first_offset == each.first_offset || (each.first_offset < highest_start_ && one.first_offset <= each.last_offset));
           }), "a transaction is listed that was not aborted");
    }
  }

  Random random_;
  LogBed bed_;
  LogModel model_;
  const bool loud_;
  int32_t epoch_ = 0;
  int64_t clock_ = first_clock;
  std::map<int64_t, Sequence> sequences_;
  int64_t persisted_recovery_point_ = 0;
  std::optional<int64_t> persisted_start_;
  std::vector<std::pair<log::Slice, Memory>> pinned_;
  Memory maybe_tail_;                          // an append of which nobody knows whether it was
  std::optional<int64_t> halfway_;             // a truncation of which nobody knows how far it went; -1: to nothing at all
  int64_t promised_ = 0;                       // below it nothing may be lost
  int64_t highest_start_ = 0;
  int opens_ = 0;
  bool faulty_ = false;
  uint64_t stop_in_ = 0;
};

void a_log_agrees_with_a_list_of_batches(void**) {
  const uint64_t one = env_or("KQ_SEED", 0);
  const uint64_t seeds = one ? 1 : env_or("KQ_SEEDS", 400);
  for (uint64_t i = 0; i < seeds; ++i) {
    const uint64_t seed = one ? one : i + 1;
    Story story{seed};
    std::string wrong;
    try {
      story.run(120);
    } catch (const Wrong& what) {
      wrong = what.what;
    } catch (const BrokenInvariant& what) {
      wrong = what.what();
    }
    if (!wrong.empty()) {
      story.show();
      print_message("KQ_SEED=%lu step %d: %s\n", static_cast<unsigned long>(seed), story.step_, wrong.c_str());
      fail();
    }
  }
  print_message("%lu seeds\n", static_cast<unsigned long>(seeds));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(a_log_agrees_with_a_list_of_batches)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
