#include "broker/log/log.hpp"

#include <algorithm>

namespace kq::log {

Log::Log(const LogContext& context, Options options)
    : context_(context), options_(std::move(options)), home_{context.cache, options_.directory},
      jitter_(context.seed ^ std::hash<std::string>{}(options_.directory)), parent_unsynced_(options_.fresh) {}

Log::~Log() {
  for (auto& segment : segments_) segment->close_files();
}

size_t Log::floor_segment(int64_t offset) const {
  const auto after = std::upper_bound(segments_.begin(), segments_.end(), offset,
                                      [](int64_t asked, const auto& segment) { return asked < segment->base_offset(); });
  return after == segments_.begin() ? 0 : static_cast<size_t>(after - segments_.begin()) - 1;
}

void Log::update_size() {
  uint64_t size = 0;
  for (const auto& segment : segments_) size += static_cast<uint64_t>(segment->size());
  size_.store(size, std::memory_order_release);
  first_segment_offset_.store(segments_.front()->base_offset(), std::memory_order_release);
}

Status Log::refuse_if_failed() const {
  KQ_CHECK(!closed_);
  if (!failed()) return {};
  return Error{own_code::system, options_.directory + " takes no more writes: the disk failed before; see the log of that time, "
                                                      "then replace the disk or repair the file system, and start the broker again"};
}

Status Log::fail(Status outcome) {
  if (outcome || disk_full(outcome.error())) return outcome;
  if (!failed_.exchange(true)) context_.logger.error("log", options_.name.directory_name() + ": " + outcome.error().message());
  return outcome;
}

Status Log::fail_halfway(Status outcome) {
  if (outcome) return outcome;
  if (!failed_.exchange(true)) context_.logger.error("log", options_.name.directory_name() + ": " + outcome.error().message());
  return Error{own_code::system, outcome.error().message()};          // no room is no reason to try again: it did not happen in time
}

void Log::Tail::add(const BatchPlace& batch) {
  if (batches_.empty()) batches_.resize(batches_max);
  batches_[count_++ % batches_max] = batch;
}

const BatchPlace* Log::Tail::find(int64_t offset) const {
  const uint64_t oldest = count_ > batches_max ? count_ - batches_max : 0;
  for (uint64_t i = count_; i > oldest; --i) {
    const BatchPlace& batch = batches_[(i - 1) % batches_max];
    if (batch.last_offset < offset) return i == count_ ? nullptr : &batches_[i % batches_max];
    // The first batch of a segment has no predecessor that could hold the offset.
    if (batch.base_offset <= offset || batch.position == 0) return &batch;
  }
  return nullptr;
}

// Sets offsets and epoch, and asks the producers' rules.
Code Log::admit(MutableBytes batches, int32_t leader_epoch, const AppendOptions& how, AppendResult& result) const {
  int64_t next_offset = end_offset();
  result.first_offset = next_offset;
  Bytes rest = batches;
  BatchView batch;
  Step step;
  while ((step = next_batch(rest, batch)) == Step::batch) {
    if (batch.legacy() || batch.last_offset_delta() < 0) return Code::corrupt_message;
    const auto at = static_cast<size_t>(batch.bytes().data() - batches.data());
    const MutableBytes bytes = batches.subspan(at, batch.size());
    set_base_offset(bytes, next_offset);
    set_leader_epoch(bytes, leader_epoch);
    if (batch.has_producer_id()) {
      const ProducerBatch view = producer_batch(batch);
      if (how.origin == AppendOrigin::client) {
        if (const BatchMetadata* held = producers_.duplicate_of(view)) {
          result = {.duplicate = true, .first_offset = held->first_offset(), .last_offset = held->last_offset, .timestamp = held->timestamp};
          return Code::none;
        }
      }
      const Code code = producers_.check(view, how);
      if (code != Code::none) return code;
    }
    result.last_offset = batch.last_offset();
    result.timestamp = std::max(result.timestamp, batch.max_timestamp());
    next_offset = batch.next_offset();
  }
  if (step != Step::end || batches.empty()) return Code::corrupt_message;
  result.bytes = batches.size();
  return Code::none;
}

Code Log::admit_as_given(Bytes& batches, AppendResult& result) const {
  int64_t next_offset = end_offset();
  Bytes rest = batches;
  BatchView batch;
  Step step;
  while ((step = next_batch(rest, batch)) == Step::batch) {
    if (!batch.check_crc() || batch.last_offset() < batch.base_offset()) return Code::corrupt_message;
    if (batch.base_offset() < next_offset) return Code::offset_out_of_range;
    if (result.first_offset < 0) result.first_offset = batch.base_offset();
    result.last_offset = batch.last_offset();
    result.timestamp = std::max(result.timestamp, batch.max_timestamp());
    next_offset = batch.next_offset();
  }
  if (step == Step::corrupt) return Code::corrupt_message;
  batches = batches.first(batches.size() - rest.size());
  result.bytes = batches.size();
  return Code::none;
}

Result<AppendResult> Log::append_as_leader(MutableBytes batches, int32_t leader_epoch, int64_t now_ms, const AppendOptions& how) {
  KQ_TRY(refuse_if_failed());
  AppendResult result;
  const Code code = admit(batches, leader_epoch, how, result);
  if (code != Code::none) return AppendResult{.code = code};
  if (result.duplicate) return result;
  KQ_TRY_ASSIGN(auto appended, write(batches, result, now_ms));
  if (appended.code == Code::none && leader_epoch >= 0 && epochs_.assign(leader_epoch, appended.first_offset)) epochs_unsaved_ = true;
  return appended;
}

Result<AppendResult> Log::append_as_follower(Bytes batches, int64_t now_ms) {
  KQ_TRY(refuse_if_failed());
  AppendResult result;
  const Code code = admit_as_given(batches, result);
  if (code != Code::none) return AppendResult{.code = code};
  if (batches.empty()) return result;
  KQ_TRY_ASSIGN(auto appended, write(batches, result, now_ms));
  if (appended.code != Code::none) return appended;
  BatchView batch;
  while (next_batch(batches, batch) == Step::batch) {
    if (batch.leader_epoch() >= 0 && epochs_.assign(batch.leader_epoch(), batch.base_offset())) epochs_unsaved_ = true;
  }
  return appended;
}

Result<AppendResult> Log::write(Bytes batches, AppendResult result, int64_t now_ms) {
  if (static_cast<int64_t>(batches.size()) > options_.config.segment_bytes) {
    return AppendResult{.code = Code::record_list_too_large};
  }
  KQ_TRY(fail(make_room(result, now_ms)));
  const int64_t position = active().size();
  bool broken = false;
  if (Status written = active().append(batches, options_.config, broken); !written) {
    if (broken) failed_.store(true, std::memory_order_release);
    KQ_TRY(fail(std::move(written)));
  }
  changed_ = true;
  KQ_TRY(fail(track(batches, position)));
  appended_bytes_ += batches.size();
  size_.fetch_add(batches.size(), std::memory_order_release);
  bytes_past_recovery_point_.store(appended_bytes_ - appended_at_recovery_point_, std::memory_order_release);
  end_offset_.store(result.last_offset + 1, std::memory_order_release);
  return result;
}

Status Log::make_room(AppendResult& result, int64_t now_ms) {
  KQ_TRY_ASSIGN(result.rolled, active().must_roll(options_.config, static_cast<int64_t>(result.bytes), result.last_offset,
                                                  result.timestamp, now_ms));
  if (!result.rolled) return {};
  // A segment begins where the one before ends, gap or not: a hole between two is then a loss, for recovery to see.
  const bool too_far = result.last_offset - end_offset() > Segment::offset_delta_max;
  return start_segment(too_far ? result.first_offset : end_offset(), now_ms);
}

Status Log::roll(int64_t now_ms) {
  KQ_TRY(refuse_if_failed());
  if (active().size() == 0) return {};
  changed_ = true;
  return fail(start_segment(end_offset(), now_ms));
}

// Until the new segment is there, whole, the old one stays the active one, and nothing is lost by trying again.
Status Log::start_segment(int64_t base_offset, int64_t now_ms) {
  if (!segments_.empty()) {
    KQ_CHECK(base_offset > active().base_offset());
    KQ_TRY(active().finish());
    KQ_TRY(write_snapshot(base_offset));
  }
  auto segment = std::make_unique<Segment>(home_, base_offset, 0, now_ms);
  const int64_t jitter_max = std::min(options_.config.segment_jitter_ms, options_.config.segment_ms);
  const int64_t jitter = jitter_max > 0 ? static_cast<int64_t>(jitter_.below(static_cast<uint64_t>(jitter_max))) : 0;
  if (Status created = segment->create(options_.config, jitter); !created) {
    segment->close_files();
    for (const char* suffix : {suffix::time_index, suffix::offset_index, suffix::log}) {
      KQ_TRY(context_.files().remove(segment->path(suffix)));
    }
    return created;
  }
  segments_.push_back(std::move(segment));
  tail_.clear();
  directory_unsynced_ = indexes_loose_ = true;
  return {};
}

Status Log::track(Bytes batches, int64_t position) {
  BatchView batch;
  while (next_batch(batches, batch) == Step::batch) {
    tail_.add(place_of(batch, position));
    position += static_cast<int64_t>(batch.size());
    if (!batch.has_producer_id()) continue;
    const auto completed = producers_.append(producer_batch(batch));
    if (completed) KQ_TRY(complete(active(), *completed, 0));
  }
  return {};
}

// An entry that finds the disk full waits in memory.
Status Log::complete(Segment& segment, const CompletedTransaction& transaction, int64_t index_from) {
  Status indexed;
  if (transaction.aborted && transaction.last_offset >= index_from) {
    indexed = segment.txns().append({transaction.producer_id, transaction.first_offset, transaction.last_offset,
                                     producers_.stable_offset_after(transaction)});
  }
  producers_.complete(transaction);
  if (!indexed && disk_full(indexed.error())) return {};
  return indexed;
}

// An epoch without a record need not be saved: who leads when the log is next opened says it again.
void Log::assign_epoch(int32_t epoch, int64_t start_offset) {
  if (epochs_.assign(epoch, start_offset)) epochs_unsaved_ = true;
}

void Log::set_high_watermark(int64_t offset) {
  offset = std::clamp(offset, start_offset(), end_offset());
  high_watermark_.store(offset, std::memory_order_release);
  producers_.high_watermark_moved(offset);
}

int64_t Log::last_stable_offset() const {
  const auto unstable = producers_.first_unstable_offset();
  const int64_t high = high_watermark();
  return unstable ? std::min(std::max(*unstable, start_offset()), high) : high;
}

}  // namespace kq::log
