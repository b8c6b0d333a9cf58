#include "broker/partition.hpp"

#include <algorithm>

namespace kq::broker {

// Shared by the coroutine that waits, the partition's list, and a call that is posted to the coroutine's loop.
struct Partition::CommitWaiter {
  CommitWaiter(Loop& loop, int64_t offset) : loop(loop), signal(loop.context()), offset(offset) {}
  Loop& loop;
  Signal signal;                                  // the loop's thread
  const int64_t offset;
  Code code = Code::request_timed_out;            // under the partition's lock
};

namespace {
template <class Waiter>
void wake(const std::shared_ptr<Waiter>& waiter, Code code) {
  waiter->code = code;
  waiter->loop.post([waiter] { waiter->signal.notify(); });
}
}  // namespace

log::LogConfig log_config(const TopicConfig& topic) {
  return {.segment_bytes = topic.segment_bytes,
          .segment_ms = topic.segment_ms,
          .segment_jitter_ms = topic.segment_jitter_ms,
          .segment_index_bytes = topic.segment_index_bytes,
          .index_interval_bytes = topic.index_interval_bytes,
          .file_delete_delay_ms = topic.file_delete_delay_ms,
          .compact = topic.compact,
          .remove = topic.remove,
          .retention_ms = topic.retention_ms,
          .retention_bytes = topic.retention_bytes,
          .delete_retention_ms = topic.delete_retention_ms,
          .min_compaction_lag_ms = topic.min_compaction_lag_ms,
          .max_compaction_lag_ms = topic.max_compaction_lag_ms,
          .min_cleanable_dirty_ratio = topic.min_cleanable_dirty_ratio};
}

Partition::Partition(const PartitionContext& context, Uuid id, std::string name, int32_t number, std::shared_ptr<const TopicConfig> config)
    : topic_id(id), topic(std::move(name)), index(number), context_(context), config_(std::move(config)) {}

void Partition::set_config(std::shared_ptr<const TopicConfig> config) {
  std::lock_guard lock(mutex_);
  if (log_) log_->set_config(log_config(*config));
  config_.store(std::move(config), std::memory_order_release);
  retention_due_ms = 0;
  if (is_open() && this->config()->compact) context_.may_be_dirty(*this);
}

awaitable<Code> Partition::opened(Loop& loop) {
  if (is_open()) co_return Code::none;
  Code code = Code::none;
  co_await context_.io.run(loop, [this, &code] {
    if (!open_now()) code = Code::kafka_storage_error;
  });
  co_return code;
}

Status Partition::open_now() {
  std::lock_guard opening(opening_);
  if (is_open()) return {};
  if (retired_) return Error(own_code::data, topic + "-" + std::to_string(index) + " is deleted");
  auto log = context_.open_log(*this, log_config(*config()));
  if (!log) {
    context_.log.error("partition", topic + "-" + std::to_string(index) + " cannot be opened: " + log.error().message());
    return std::move(log.error());
  }
  bool submit = false;
  size_t unsynced = 0;                            // what was recovered
  {
    std::lock_guard lock(mutex_);
    log_ = std::move(*log);
    log_->set_config(log_config(*config()));
    if (leads_) {
      if (log_->epochs().latest().value_or(-1) < leadership_.epoch) log_->assign_epoch(leadership_.epoch);
      submit = lead();
    }
    open_.store(true, std::memory_order_release);
    unsynced = log_->bytes_past_recovery_point();
  }
  if (submit) submit_flush();
  if (unsynced > 0) context_.appended(*this, unsynced);
  if (config()->compact) context_.may_be_dirty(*this);
  return {};
}

Status Partition::make_now() {
  std::lock_guard opening(opening_);
  if (is_open() || retired_) return {};
  return context_.make_log(*this);
}

void Partition::set_leadership(const cluster::PartitionImage& image, int32_t own_id) {
  bool submit = false;
  {
    std::lock_guard lock(mutex_);
    const bool new_epoch = image.leader_epoch != leadership_.epoch;
    leadership_ = {image.leader, image.leader_epoch};
    leads_ = image.leader == own_id && !retired_;
    in_sync_replicas_ = image.isr.size();
    if (!leads_) wake_waiters(Code::not_leader_or_follower);
    if (log_ && leads_) {
      if (new_epoch) log_->assign_epoch(image.leader_epoch);
      submit = lead();
    }
    if (new_epoch) new_for_readers();
  }
  if (submit) submit_flush();
}

// The only replica has nobody to wait for: what survived the last stop is committed, once it is on the disk if that is the promise.
bool Partition::lead() {
  if (!context_.commit_when_synced) {
    move_high_watermark(log_->end_offset());
    return false;
  }
  move_high_watermark(log_->synced_offset());
  return log_->synced_offset() < log_->end_offset() && want_flush(log::FlushKind::data);
}

void Partition::submit_flush() {
  context_.io.submit([self = shared_from_this()] { self->flush(); });
}

Leadership Partition::leadership() const {
  std::lock_guard lock(mutex_);
  return leadership_;
}

Partition::Appended Partition::append(MutableBytes batch, bool all_acks, const log::AppendOptions& options) {
  Appended answer;
  bool submit = false;
  bool new_segment = false;
  size_t bytes = 0;
  std::optional<Error> failure;
  {
    std::lock_guard lock(mutex_);
    if (!leads_ || !log_) {
      answer.code = leads_ ? Code::kafka_storage_error : Code::not_leader_or_follower;
      return answer;
    }
    answer.log_start_offset = log_->start_offset();
    if (const int32_t wanted = config()->min_insync_replicas; all_acks && static_cast<int64_t>(in_sync_replicas_) < wanted) {
      answer.code = Code::not_enough_replicas;
      answer.message = "min.insync.replicas is " + std::to_string(wanted) + ", in sync are " + std::to_string(in_sync_replicas_);
      return answer;
    }
    auto appended = log_->append_as_leader(batch, leadership_.epoch, wall_clock_ms(), options);
    if (!appended) {
      answer.code = Code::kafka_storage_error;
      answer.message = appended.error().message();
      if (log_->failed()) wake_waiters(Code::kafka_storage_error);
      failure.emplace(std::move(appended.error()));
    } else {
      answer.code = appended->code;
      answer.duplicate = appended->duplicate;
      answer.first_offset = appended->first_offset;
      answer.end_offset = appended->last_offset + 1;
      answer.timestamp = appended->timestamp;
      bytes = appended->bytes;
      new_segment = appended->rolled;
      if (bytes > 0 && context_.commit_when_synced) submit = want_flush(log::FlushKind::data);
      else if (bytes > 0) move_high_watermark(log_->end_offset());
    }
  }
  if (failure) context_.disk_failed(*this, *failure);
  if (submit) submit_flush();
  if (bytes > 0) context_.appended(*this, bytes);
  if (new_segment && config()->compact) context_.may_be_dirty(*this);
  return answer;
}

Partition::Appended Partition::append_marker(const TransactionMarker& marker, bool transactions_v2) {
  auto batch = marker_batch(marker, wall_clock_ms());
  return append(batch, true, {.origin = log::AppendOrigin::coordinator, .transactions_v2 = transactions_v2});
}

Partition::Verification Partition::begin_verification(const log::VerificationRequest& request) {
  std::lock_guard lock(mutex_);
  const Code code = check_leader_locked(-1);
  if (code != Code::none) return {code};
  return {Code::none, log_->begin_verification(request)};
}

Code Partition::producers(std::vector<log::Producer>& to) const {
  std::lock_guard lock(mutex_);
  const Code code = check_leader_locked(-1);
  if (code == Code::none) to = log_->producers().all();
  return code;
}

awaitable<Code> Partition::committed(Loop& loop, int64_t offset, Instant deadline) {
  std::shared_ptr<CommitWaiter> waiter;
  {
    std::lock_guard lock(mutex_);
    if (log_->high_watermark() >= offset) co_return Code::none;
    if (log_->failed()) co_return Code::kafka_storage_error;
    if (!leads_) co_return Code::not_leader_or_follower;
    waiter = std::make_shared<CommitWaiter>(loop, offset);
    commit_waiters_.push_back(waiter);
  }
  co_await loop.wait_until(waiter->signal, deadline);
  std::lock_guard lock(mutex_);
  if (waiter->code == Code::request_timed_out) std::erase(commit_waiters_, waiter);
  co_return waiter->code;
}

PartitionRead Partition::read(const PartitionRead::Request& request) {
  PartitionRead answer;
  std::lock_guard lock(mutex_);
  answer.generation = generation_;
  answer.code = check_leader_locked(request.current_leader_epoch);
  if (answer.code != Code::none) return answer;
  answer.high_watermark = log_->high_watermark();
  answer.last_stable_offset = log_->last_stable_offset();
  answer.log_start_offset = log_->start_offset();
  if (request.last_fetched_epoch >= 0) {
    const log::EpochEnd end = log_->end_offset_for_epoch(request.last_fetched_epoch);
    if (end.epoch < 0 || end.end_offset < 0 || request.offset < answer.log_start_offset) {
      answer.code = Code::offset_out_of_range;
      return answer;
    }
    if (end.epoch < request.last_fetched_epoch || end.end_offset < request.offset) {
      answer.diverging = end;
      return answer;
    }
  }
  const bool committed_only = request.isolation == Isolation::read_committed;
  const int64_t upper = committed_only ? answer.last_stable_offset : answer.high_watermark;
  auto found = log_->read({.offset = request.offset,
                           .bytes_max = request.bytes_max,
                           .upper_offset = upper,
                           .whole_first_batch = request.whole_first_batch,
                           .hot_only = request.hot_only});
  if (!found) {
    context_.log.error("partition", found.error().message());
    answer.code = Code::kafka_storage_error;
    return answer;
  }
  answer.code = found->code;
  answer.slice = std::move(found->slice);
  answer.cold = std::move(found->cold);
  answer.no_room = answer.code == Code::none && answer.slice.empty() && !answer.cold && request.offset < upper;
  if (committed_only && !answer.slice.empty()) {
    auto aborted = log_->aborted_transactions(request.offset, answer.slice);
    if (aborted) answer.aborted = std::move(*aborted);
    else answer.code = Code::kafka_storage_error;
  }
  return answer;
}

void Partition::watch(PartitionWatch& watch, uint64_t generation) {
  std::lock_guard lock(mutex_);
  watches_.push_back(watch);
  if (generation != generation_) watch.changed();
}

void Partition::unwatch(PartitionWatch& watch) {
  std::lock_guard lock(mutex_);
  if (watch.is_linked()) watches_.erase(watches_.iterator_to(watch));
}

Code Partition::check_leader(int32_t current_leader_epoch) const {
  std::lock_guard lock(mutex_);
  return check_leader_locked(current_leader_epoch);
}

Code Partition::check_leader_locked(int32_t current_leader_epoch) const {
  if (current_leader_epoch >= 0 && current_leader_epoch < leadership_.epoch) return Code::fenced_leader_epoch;
  if (current_leader_epoch >= 0 && current_leader_epoch > leadership_.epoch) return Code::unknown_leader_epoch;
  if (!leads_) return Code::not_leader_or_follower;
  return !log_ || log_->failed() ? Code::kafka_storage_error : Code::none;
}

Partition::Offsets Partition::offsets() const {
  std::lock_guard lock(mutex_);
  return {.start = log_->start_offset(),
          .high_watermark = log_->high_watermark(),
          .last_stable = log_->last_stable_offset(),
          .end = log_->end_offset(),
          .leader_epoch = leadership_.epoch,
          .start_epoch = log_->epochs().epoch_at(log_->start_offset())};
}

log::EpochEnd Partition::end_offset_for_epoch(int32_t epoch) const {
  std::lock_guard lock(mutex_);
  return log_->end_offset_for_epoch(epoch);
}

Result<log::TimestampSearch> Partition::search_timestamp(int64_t timestamp) {
  std::lock_guard lock(mutex_);
  return log_->search_timestamp(timestamp);
}

Result<log::TimestampSearch> Partition::search_largest_timestamp() {
  std::lock_guard lock(mutex_);
  return log_->search_largest_timestamp();
}

Partition::RecordsDeleted Partition::delete_records(int64_t offset) {
  RecordsDeleted answer;
  std::optional<Error> failure;
  std::vector<log::Log::Removal> removals;
  {
    std::lock_guard lock(mutex_);
    answer.code = check_leader_locked(-1);
    const auto settings = config();
    if (answer.code == Code::none && settings->compact && !settings->remove) answer.code = Code::policy_violation;
    if (answer.code != Code::none) return answer;
    if (offset == high_watermark_offset) offset = log_->high_watermark();
    if (offset < 0 || offset > log_->high_watermark()) return {.code = Code::offset_out_of_range};
    const bool rises = offset > log_->start_offset();
    if (Status raised = log_->raise_start(offset, wall_clock_ms()); !raised) {
      answer.code = Code::kafka_storage_error;
      failure.emplace(std::move(raised.error()));
    } else {
      answer.low_watermark = log_->start_offset();
    }
    removals = log_->take_removals();
    if (rises) new_for_readers();
  }
  context_.took_out(*this, std::move(removals));
  if (failure) context_.disk_failed(*this, *failure);
  return answer;
}

void Partition::delete_old_segments(int64_t now_ms) {
  constexpr size_t segments_a_turn = 32;          // while others wait for the lock
  for (bool more = true; more;) {
    std::optional<Error> failure;
    std::vector<log::Log::Removal> removals;
    {
      std::lock_guard lock(mutex_);
      if (!log_ || retired_ || log_->failed()) return;
      const int64_t start = log_->start_offset();
      auto deleted = log_->delete_old_segments(now_ms, segments_a_turn);
      more = deleted && *deleted == segments_a_turn;
      if (!deleted) failure.emplace(std::move(deleted.error()));
      removals = log_->take_removals();
      if (log_->start_offset() > start) new_for_readers();
    }
    context_.took_out(*this, std::move(removals));
    if (failure) context_.disk_failed(*this, *failure);
  }
}

bool Partition::work_on(const std::function<void(log::Log&)>& work) {
  std::vector<log::Log::Removal> removals;
  {
    std::lock_guard lock(mutex_);
    if (!log_ || retired_ || log_->failed()) return false;
    work(*log_);
    removals = log_->take_removals();
  }
  context_.took_out(*this, std::move(removals));
  return true;
}

void Partition::flush_soon(std::function<void()> done) {
  bool nothing_to_do = false, submit = false;
  {
    std::lock_guard lock(mutex_);
    nothing_to_do = !log_ || log_->failed();
    if (!nothing_to_do) {
      flush_done_.push_back(done);
      submit = want_flush(log::FlushKind::recovery_point);
    }
  }
  if (submit) submit_flush();
  if (nothing_to_do) done();
}

uint64_t Partition::bytes_past_recovery_point() const {
  std::lock_guard lock(mutex_);
  return log_ ? log_->bytes_past_recovery_point() : 0;
}

void Partition::retire() {
  std::lock_guard opening(opening_);
  std::lock_guard lock(mutex_);
  retired_ = true;
  leads_ = false;
  wake_waiters(Code::not_leader_or_follower);
  new_for_readers();
}

void Partition::new_for_readers() {
  ++generation_;
  for (PartitionWatch& watch : watches_) watch.changed();
}

void Partition::move_high_watermark(int64_t offset) {
  if (offset <= log_->high_watermark()) return;
  log_->set_high_watermark(offset);
  new_for_readers();
  std::erase_if(commit_waiters_, [&](const auto& waiter) {
    if (waiter->offset > offset) return false;
    wake(waiter, Code::none);
    return true;
  });
}

void Partition::wake_waiters(Code code) {
  for (const auto& waiter : commit_waiters_) wake(waiter, code);
  commit_waiters_.clear();
}

bool Partition::want_flush(log::FlushKind kind) {
  (kind == log::FlushKind::data ? data_flush_wanted_ : recovery_flush_wanted_) = true;
  return !std::exchange(flushing_, true);
}

// On the pool.  While one sync runs, everything that is appended waits for the next, together.
void Partition::flush() {
  std::unique_lock lock(mutex_);
  while (data_flush_wanted_ || recovery_flush_wanted_) {
    const auto kind = recovery_flush_wanted_ ? log::FlushKind::recovery_point : log::FlushKind::data;
    data_flush_wanted_ = recovery_flush_wanted_ = false;
    const auto done = std::exchange(flush_done_, {});
    Status outcome = flush_once(kind, lock);
    if (!outcome) {
      wake_waiters(Code::kafka_storage_error);
      new_for_readers();
    } else if (context_.commit_when_synced && leads_) {
      move_high_watermark(log_->synced_offset());
    }
    lock.unlock();
    if (!outcome) context_.disk_failed(*this, outcome.error());
    for (const auto& call : done) call();
    lock.lock();
  }
  flushing_ = false;
}

Status Partition::flush_once(log::FlushKind kind, std::unique_lock<std::mutex>& lock) {
  if (retired_) return {};
  if (log_->failed()) return Error(own_code::data, "the log of " + log_->directory() + " has failed before");
  KQ_TRY_ASSIGN(const log::FlushWork work, log_->prepare_flush(kind));
  lock.unlock();
  Status outcome = work.run();
  lock.lock();
  if (retired_) return {};                        // its directory may have moved away meanwhile: that is no failure of the disk
  log_->flushed(work, outcome);
  return outcome;
}

}  // namespace kq::broker
