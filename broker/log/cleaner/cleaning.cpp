#include "broker/log/cleaner/cleaning.hpp"

#include <algorithm>

namespace kq::log {
namespace {

constexpr const char* segment_suffixes[] = {suffix::log, suffix::offset_index, suffix::time_index, suffix::txn_index};

std::string log_path(const Slice& slice, const std::string& directory) { return SegmentName{directory, slice.segment_base_offset}.path(suffix::log); }

}  // namespace

Cleaning::Cleaning(Options options)
    : options_(std::move(options)), map_(options_.key_memory_bytes, options_.key_load_factor), home_{options_.cache, {}, suffix::cleaned} {}

Cleaning::~Cleaning() { remove_cleaned(); }

Result<Cleaning::Progress> Cleaning::step(int64_t now_ms) {
  step_bytes_ = 0;
  Status worked = given_up_ ? Status{} : work(now_ms);
  if (!worked || given_up_) {
    give_up();
    remove_cleaned();
    // A log that was renamed, or cut, is no failure.
    bool there = false;
    if (!worked) (void)on_log([&](Log& log) -> Status { return there = log.truncations() == truncations_, Status{}; }).ok();
    if (!worked && there) return std::move(worked.error());
    return Progress{State::given_up, step_bytes_};
  }
  return Progress{phase_ == Phase::done ? State::done : State::more, step_bytes_};
}

Status Cleaning::work(int64_t now_ms) {
  switch (phase_) {
    case Phase::begin: return begin();
    case Phase::map: return map_piece();
    case Phase::plan_runs: return plan_runs();
    case Phase::open_run: return open_run();
    case Phase::copy: return copy_piece(now_ms);
    case Phase::finish_run: return finish_run(now_ms);
    case Phase::done: break;
  }
  return {};
}

Status Cleaning::on_log(const std::function<Status(Log&)>& call) {
  Status outcome;
  if (!options_.on_log([&](Log& log) { outcome = call(log); })) give_up();
  return outcome;
}

Status Cleaning::begin() {
  const CleaningPlan& plan = options_.plan;
  KQ_TRY(on_log([&](Log& log) -> Status {
    truncations_ = log.truncations();
    home_.directory = log.directory();
    KQ_TRY_ASSIGN(facts_, log.facts(plan.first_dirty));
    KQ_TRY_ASSIGN(auto aborted, log.aborted_between(plan.first_dirty, plan.first_uncleanable));
    transactions_.emplace(std::move(aborted));
    return {};
  }));
  for (size_t i = 0; i + 1 < facts_.segments.size(); ++i) {
    const int64_t next = facts_.segments[i + 1].base_offset;
    if (next > plan.first_dirty && facts_.segments[i].base_offset < plan.first_uncleanable) dirty_.push_back(i);
  }
  phase_ = Phase::map;
  return {};
}

Status Cleaning::open_source(int64_t base_offset, int64_t from_offset) {
  source_ = {};
  KQ_TRY(on_log([&](Log& log) -> Status {
    if (log.truncations() != truncations_) return give_up(), Status{};
    KQ_TRY_ASSIGN(auto slice, log.closed_segment(base_offset, from_offset));
    if (!slice) return give_up(), Status{};
    source_.slice = std::move(*slice);
    KQ_TRY_ASSIGN(source_.modified_ms, options_.cache.files().modified_ms(log_path(source_.slice, home_.directory)));
    return {};
  }));
  if (given_up_) return {};
  const auto from = static_cast<int64_t>(source_.slice.position);
  source_.scanner = std::make_unique<BatchScanner>(*source_.slice.file, from, from + static_cast<int64_t>(source_.slice.length), options_.buffer_bytes);
  return {};
}

// Nothing: the source ends.  A batch that is larger than the buffer is checked in pieces before there is memory for all of it.
Result<std::optional<Bytes>> Cleaning::next_batch() {
  BatchScanner& scanner = *source_.scanner;
  KQ_TRY_ASSIGN(const Step step, scanner.next());
  if (step == Step::end) return std::optional<Bytes>{};
  const auto damaged = [&](const char* what) {
    return Error{own_code::data, log_path(source_.slice, home_.directory) + " holds " + what + " at " + std::to_string(scanner.position()) +
                                     ": the log is not compacted any more until it is repaired"};
  };
  if (step != Step::batch) return damaged("no batch");
  if (static_cast<size_t>(scanner.batch().size) > options_.buffer_bytes) {
    KQ_TRY_ASSIGN(const bool right, scanner.check_crc());
    if (!right) return damaged("a batch with a wrong check sum");
  }
  KQ_TRY_ASSIGN(const Bytes whole, scanner.whole());
  step_bytes_ += whole.size();
  return std::optional(whole);
}

Result<std::optional<int16_t>> Cleaning::control_type_of(const BatchView& batch) {
  std::optional<int16_t> type;
  if (batch.count() == 0) return type;
  KQ_TRY(reader_.open(batch, plain_));
  RecordView record;
  if (reader_.next(record)) type = control_type(record.key);
  KQ_TRY(reader_.status());
  return type;
}

// ---- what is the newest --------------------------------------------------------------------------------------------------------

Status Cleaning::map_piece() {
  if (dirty_at_ == dirty_.size()) {
    end_offset_ = map_.latest_offset() + 1;
    phase_ = Phase::plan_runs;
    return {};
  }
  const SegmentFacts& segment = facts_.segments[dirty_[dirty_at_]];
  if (!source_.scanner) {
    KQ_TRY(open_source(segment.base_offset, options_.plan.first_dirty));
    if (given_up_) return {};
  }
  while (step_bytes_ < options_.buffer_bytes) {
    KQ_TRY_ASSIGN(const auto bytes, next_batch());
    if (!bytes) {
      // Over a gap at its end, up to the next segment.
      map_.raise_latest_offset(std::min(facts_.segments[dirty_[dirty_at_] + 1].base_offset, options_.plan.first_uncleanable) - 1);
      source_ = {};
      ++dirty_at_;
      break;
    }
    KQ_TRY(map_batch(BatchView{*bytes}));
    if (dirty_at_ == dirty_.size()) break;
  }
  stats_.bytes_mapped += step_bytes_;
  return {};
}

// A map that is full ends the mapping: what lies beyond is left for the next time.
Status Cleaning::map_batch(const BatchView& batch) {
  if (batch.control()) {
    KQ_TRY_ASSIGN(const auto type, control_type_of(batch));
    transactions_->on_marker(batch, type);
  } else if (!transactions_->on_records(batch) && (batch.legacy() || batch.count() > 0)) {
    KQ_TRY(reader_.open(batch, plain_));
    for (RecordView record; reader_.next(record); ++stats_.records_mapped) {
      if (record.key.data() == nullptr || record.offset < options_.plan.first_dirty) continue;
      if (map_.full()) {
        dirty_at_ = dirty_.size();
        source_ = {};
        return {};
      }
      map_.put(record.key, record.offset);
    }
    KQ_TRY(reader_.status());
  }
  if (batch.last_offset() >= options_.plan.first_dirty) map_.raise_latest_offset(batch.last_offset());
  return {};
}

// ---- what stays ----------------------------------------------------------------------------------------------------------------

Status Cleaning::plan_runs() {
  FileSystem& files = options_.cache.files();
  const auto index_bytes = [&](const SegmentFacts& segment, const char* suffix) -> int64_t {
    const auto size = files.size(SegmentName{home_.directory, segment.base_offset}.path(suffix));
    return size ? static_cast<int64_t>(*size) : 0;                     // one that is lost is made anew
  };
  for (SegmentFacts& segment : facts_.segments) {
    if (segment.base_offset >= end_offset_) break;
    segment.offset_index_bytes = index_bytes(segment, suffix::offset_index);
    segment.time_index_bytes = index_bytes(segment, suffix::time_index);
  }
  runs_ = group_segments(facts_, end_offset_, options_.plan.first_uncleanable);
  KQ_TRY(on_log([&](Log& log) -> Status {
    KQ_TRY_ASSIGN(auto aborted, log.aborted_between(facts_.segments.front().base_offset, options_.plan.first_uncleanable));
    transactions_.emplace(std::move(aborted));
    return {};
  }));
  // Of the formats before 2, whose batches have no delete horizon: their tombstones go by the age of the last clean segment.
  for (const SegmentFacts& segment : facts_.segments) {
    if (segment.base_offset >= options_.plan.first_dirty) break;
    KQ_TRY_ASSIGN(const int64_t modified_ms, files.modified_ms(SegmentName{home_.directory, segment.base_offset}.path(suffix::log)));
    legacy_horizon_ms_ = modified_ms - facts_.config.delete_retention_ms;
  }
  phase_ = runs_.empty() ? Phase::done : Phase::open_run;
  return {};
}

Status Cleaning::open_run() {
  const SegmentFacts& first = facts_.segments[runs_[run_at_].first];
  last_records_.clear();
  KQ_TRY(on_log([&](Log& log) -> Status {
    for (const Producer& producer : log.producers().all()) last_records_[producer.id] = {producer.last_offset(), producer.epoch};
    return {};
  }));
  if (given_up_) return {};
  cleaned_ = std::make_unique<Segment>(home_, first.base_offset, 0, 0);
  KQ_TRY(cleaned_->create(facts_.config, 0));
  source_at_ = runs_[run_at_].first;
  phase_ = Phase::copy;
  return {};
}

Status Cleaning::copy_piece(int64_t now_ms) {
  if (!source_.scanner) {
    KQ_TRY(open_source(facts_.segments[source_at_].base_offset, 0));
    if (given_up_) return {};
  }
  bool ended = false;
  while (step_bytes_ < options_.buffer_bytes && !ended) {
    KQ_TRY_ASSIGN(const auto bytes, next_batch());
    ended = !bytes;
    if (bytes) KQ_TRY(copy_batch(BatchView{*bytes}, now_ms));
  }
  stats_.bytes_read += step_bytes_;
  KQ_TRY(write_out());
  if (!ended) return {};
  source_.scanner.reset();
  if (++source_at_ == runs_[run_at_].last) phase_ = Phase::finish_run;
  return {};
}

BatchFate Cleaning::fate_of(const BatchView& batch, std::optional<int16_t> control_type, int64_t now_ms) {
  bool discardable = false;
  if (batch.control()) {
    auto marker = transactions_->on_marker(batch, control_type);
    discardable = marker.spent;
    if (marker.keep) (void)cleaned_->txns().append(*marker.keep).ok();          // what finds no room is written out with the rest, or fails there
    discards_records_ = discardable && batch.has_delete_horizon() && batch.delete_horizon_ms() <= now_ms;
  } else {
    discardable = discards_records_ = transactions_->on_records(batch);
  }
  BatchFate fate;
  fate.spent_marker = batch.control() && discardable;
  // The batch with an active producer's last sequence stays, or the marker with its last epoch; and the last batch of the round, so that
  // no offset is forgotten.
  bool last_of_producer = false;
  if (const auto known = batch.has_producer_id() ? last_records_.find(batch.producer_id()) : last_records_.end(); known != last_records_.end()) {
    last_of_producer = known->second.last_offset >= 0 ? batch.last_offset() == known->second.last_offset
                                                       : batch.control() && batch.producer_epoch() == known->second.epoch;
  }
  fate.keep_empty = last_of_producer || (!batch.legacy() && batch.next_offset() == options_.plan.first_uncleanable);
  fate.drop = !fate.keep_empty && discards_records_;
  return fate;
}

bool Cleaning::retains(const BatchView& batch, const RecordView& record, int64_t now_ms) {
  if (discards_records_) return false;
  if (batch.control() || record.offset > map_.latest_offset()) return true;
  if (record.key.data() == nullptr) return ++stats_.keyless_records, false;
  if (record.offset < map_.find(record.key)) return false;
  if (record.value.data() != nullptr) return true;
  return batch.legacy() ? source_.modified_ms > legacy_horizon_ms_ : !batch.has_delete_horizon() || now_ms < batch.delete_horizon_ms();
}

Status Cleaning::copy_batch(const BatchView& batch, int64_t now_ms) {
  std::optional<int16_t> type;
  if (batch.control()) {
    KQ_TRY_ASSIGN(type, control_type_of(batch));
  }
  const BatchFate fate = fate_of(batch, type, now_ms);
  KQ_TRY_ASSIGN(const auto counts, rewriter_.rewrite(batch, fate, [&](const RecordView& record) { return retains(batch, record, now_ms); },
                                                     now_ms + facts_.config.delete_retention_ms, out_));
  stats_.records_read += static_cast<uint64_t>(counts.read);
  stats_.records_kept += static_cast<uint64_t>(counts.kept);
  return out_.size() >= options_.buffer_bytes ? write_out() : Status{};
}

Status Cleaning::write_out() {
  if (out_.size() == 0) return {};
  constexpr int64_t segment_bytes_max = std::numeric_limits<int32_t>::max();
  if (cleaned_->size() + static_cast<int64_t>(out_.size()) > segment_bytes_max)
    return Error{own_code::data, home_.directory + ": what is left of its segments does not fit into one"};
  bool broken = false;
  KQ_TRY(cleaned_->append(out_.bytes(), facts_.config, broken));
  step_bytes_ += out_.size();
  stats_.bytes_written += out_.size();
  out_.clear();
  return {};
}

// Closed and synced, the new segment takes the place of the old ones, under their age.
Status Cleaning::finish_run(int64_t now_ms) {
  FileSystem& files = options_.cache.files();
  KQ_TRY(cleaned_->finish());
  KQ_TRY(cleaned_->txns().write_out());
  Log::Replacement replacement{.sources = {}, .size = cleaned_->size(), .truncations = truncations_};
  for (size_t i = runs_[run_at_].first; i < runs_[run_at_].last; ++i) replacement.sources.push_back(facts_.segments[i].base_offset);
  for (const char* suffix : segment_suffixes) {
    const std::string path = cleaned_->path(suffix);
    if (!files.exists(path)) continue;
    KQ_TRY_ASSIGN(const auto file, files.open(path, OpenMode::write));
    KQ_TRY(file->sync());
    KQ_TRY(files.set_modified_ms(path, source_.modified_ms));
  }
  cleaned_->close_files();
  bool replaced = false;
  KQ_TRY(on_log([&](Log& log) -> Status {
    KQ_TRY_ASSIGN(replaced, log.replace_segments(replacement, now_ms));
    return {};
  }));
  if (!replaced) return give_up(), Status{};
  cleaned_.reset();
  source_ = {};
  KQ_TRY(files.sync_directory(home_.directory));
  phase_ = ++run_at_ == runs_.size() ? Phase::done : Phase::open_run;
  return {};
}

void Cleaning::remove_cleaned() {
  if (!cleaned_) return;
  cleaned_->close_files();
  for (const char* suffix : segment_suffixes) (void)options_.cache.files().remove(cleaned_->path(suffix)).ok();      // else the next start does
  cleaned_.reset();
}

}  // namespace kq::log
