#include "broker/coordinator/shard.hpp"

#include "libkq/record/compression.hpp"

namespace kq::coordinator {

struct Shard::Waiter {
  explicit Waiter(Loop& on) : loop(on), signal(on.context()) {}
  Loop& loop;
  Signal signal;  // the loop's thread
};

// ---- Life ------------------------------------------------------------------------------------------------------------------------

Shard::State Shard::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

void Shard::become(State state) {
  state_ = state;
  for (const auto& waiter : waiters_) waiter->loop.post([waiter] { waiter->signal.notify(); });
  waiters_.clear();
}

void Shard::end() {
  std::lock_guard lock(mutex_);
  if (state_ == State::active) machine_->unloaded();
  become(State::ended);
  machine_.reset();
}

awaitable<Shard::State> Shard::left_loading(Loop& loop, Instant deadline) {
  std::shared_ptr<Waiter> waiter;
  {
    std::lock_guard lock(mutex_);
    if (state_ != State::loading) co_return state_;
    waiter = std::make_shared<Waiter>(loop);
    waiters_.push_back(waiter);
  }
  co_await loop.wait_until(waiter->signal, deadline);
  std::lock_guard lock(mutex_);
  std::erase(waiters_, waiter);
  co_return state_;
}

// ---- Reading the log -------------------------------------------------------------------------------------------------------------

// The lock is held from one buffer to the next only, so that end() need not wait for a long log.
bool Shard::load(size_t buffer_bytes, const std::function<std::shared_ptr<const cluster::Image>()>& image, Logger& log) {
  std::vector<std::byte> buffer;
  Status read = partition->open_now();
  for (int64_t offset = read ? partition->offsets().start : 0; read;) {
    std::lock_guard lock(mutex_);
    if (state_ != State::loading) return false;
    Result<log::ReadResult> found{log::ReadResult{}};
    int64_t end = 0;
    partition->with_log([&](log::Log& of) {
      end = of.end_offset();
      offset = std::max(offset, of.start_offset());
      found = of.read({.offset = offset, .bytes_max = buffer_bytes, .upper_offset = end});
    });
    if (offset >= end) {
      written_ = end;
      machine_->loaded({Clock::now(), wall_clock_ms()}, image());
      become(State::active);
      return true;
    }
    if (!found)
      read = std::move(found.error());
    else if (found->slice.empty())
      read = Error(own_code::data, "nothing can be read at offset " + std::to_string(offset));
    else
      read = replay_slice(found->slice, buffer, offset);
  }
  std::lock_guard lock(mutex_);
  if (state_ != State::loading) return false;
  log.error("coordinator",
            partition->topic + "-" + std::to_string(partition->index) + " cannot be loaded: " + read.error().message());
  become(State::failed);
  return false;
}

Status Shard::replay_slice(const log::Slice& slice, std::vector<std::byte>& buffer, int64_t& offset) {
  buffer.resize(slice.length);
  for (size_t at = 0; at < buffer.size();) {
    KQ_TRY_ASSIGN(const size_t got, slice.file->read_at(slice.position + at, MutableBytes{buffer}.subspan(at)));
    if (got == 0) return Error(own_code::data, "the file ends early at offset " + std::to_string(offset));
    at += got;
  }
  Bytes rest{buffer};
  BatchView batch;
  while (next_batch(rest, batch) == Step::batch) {
    if (batch.next_offset() > offset) KQ_TRY(replay_batch(batch));
    offset = std::max(offset, batch.next_offset());
  }
  return {};
}

Status Shard::replay_batch(const BatchView& batch) {
  Block block;
  KQ_TRY(reader_.open(batch, block));
  for (RecordView record; reader_.next(record);) {
    if (batch.control()) {
      const auto type = static_cast<ControlType>(control_type(record.key));
      if (type == ControlType::commit || type == ControlType::abort)
        machine_->end_transaction({batch.producer_id(), batch.producer_epoch(), type == ControlType::commit});
      continue;
    }
    Record seen{.key = record.key, .value = std::nullopt, .offset = record.offset};
    if (record.value.data()) seen.value = record.value;
    if (batch.transactional()) seen.producer_id = batch.producer_id(), seen.producer_epoch = batch.producer_epoch();
    machine_->replay(seen);
  }
  return reader_.status();
}

// ---- Decisions -------------------------------------------------------------------------------------------------------------------

Shard::Outcome Shard::outcome(Code code) const {
  Outcome outcome{.code = code, .end_offset = written_, .deadline = std::nullopt};
  if (state_ == State::active) outcome.deadline = machine_->deadline();
  if (outcome.deadline) outcome.deadline = std::max(*outcome.deadline, paused_until_);
  return outcome;
}

Shard::Outcome Shard::written() const {
  std::lock_guard lock(mutex_);
  return outcome(state_ == State::active ? Code::none : Code::not_coordinator);
}

Shard::Outcome Shard::run(const Now& now, const Decide& decide) {
  std::lock_guard lock(mutex_);
  if (state_ != State::active) return outcome(Code::not_coordinator);
  writes_.clear();
  decide(*machine_, now, writes_);
  return outcome(write(now, writes_));
}

Shard::Outcome Shard::tick(const Now& now) {
  std::lock_guard lock(mutex_);
  if (state_ != State::active) return outcome(Code::not_coordinator);
  for (int round = 0; round < ticks_max && now.instant >= paused_until_; ++round) {
    const auto due = machine_->deadline();
    if (!due || *due > now.instant) break;
    writes_.clear();
    machine_->tick(now, writes_);
    if (write(now, writes_) != Code::none) paused_until_ = now.instant + refused_pause;
  }
  return outcome(Code::none);
}

Shard::Outcome Shard::metadata_changed(const Now& now, const std::shared_ptr<const cluster::Image>& image,
                                       const cluster::Delta& delta) {
  std::lock_guard lock(mutex_);
  if (state_ == State::active) machine_->metadata_changed(now, image, delta);
  return outcome(Code::none);
}

Shard::Outcome Shard::end_transaction(const Now& now, const TransactionMarker& marker, const log::AppendOptions& options) {
  std::lock_guard lock(mutex_);
  if (state_ != State::active) return outcome(Code::not_coordinator);
  auto batch = marker_batch(marker, now.wall_ms);
  const auto appended = partition->append(batch, true, options);
  if (appended.code != Code::none) return outcome(appended.code);
  written_ = appended.end_offset;
  machine_->end_transaction({marker.producer_id, marker.producer_epoch, marker.commit});
  return outcome(Code::none);
}

// ---- The one way into the log ----------------------------------------------------------------------------------------------------

Code Shard::write(const Now& now, Writes& writes) {
  Code code = writes.sayable() ? Code::none : Code::unknown_server_error;
  const auto bytes_max = static_cast<size_t>(partition->config()->max_message_bytes);
  for (size_t first = 0; code == Code::none && first < writes.size();) {
    size_t count = 0, bytes = batch_header_size;
    for (; first + count < writes.size(); ++count) {
      const Writes::Entry entry = writes.at(first + count);
      bytes += BatchBuilder::record_bytes_max(entry.key.size(), entry.value ? entry.value->size() : 0);
      if (bytes > bytes_max && count > 0 && !writes.atomic()) break;
    }
    code = append(now, writes, first, count);
    first += count;
  }
  writes.finish(code);
  return code;
}

Code Shard::append(const Now& now, const Writes& writes, size_t first, size_t count) {
  auto batch = batch_of(now, writes, first, count);
  if (!batch || batch->size() > static_cast<size_t>(partition->config()->max_message_bytes)) return Code::unknown_server_error;
  const auto appended = partition->append(
      *batch, true, {.origin = log::AppendOrigin::coordinator, .verified_only = writes.verified_only(), .guard = writes.guard()});
  if (appended.code != Code::none) return appended.code;
  written_ = appended.end_offset;
  replay(writes, first, count, appended.first_offset);
  return Code::none;
}

Result<MutableBytes> Shard::batch_of(const Now& now, const Writes& writes, size_t first, size_t count) {
  builder_.clear();
  for (size_t i = first; i < first + count; ++i) {
    const Writes::Entry entry = writes.at(i);
    builder_.append(now.wall_ms, entry.key, entry.value.value_or(Bytes{}));
  }
  BatchFields fields;
  fields.producer_id = writes.producer_id();
  fields.producer_epoch = writes.producer_epoch();
  fields.transactional = writes.producer_id() != no_producer_id;
  if (codec_ == Codec::none) {
    builder_.seal(fields);
    return builder_.sealed();
  }
  KQ_TRY_ASSIGN(const Bytes sealed, builder_.seal(fields, codec_, codec_levels(codec_).standard, compressor_, compressed_));
  return MutableBytes{const_cast<std::byte*>(sealed.data()), sealed.size()};
}

void Shard::replay(const Writes& writes, size_t first, size_t count, int64_t first_offset) {
  for (size_t i = first; i < first + count; ++i) {
    const Writes::Entry entry = writes.at(i);
    machine_->replay({.key = entry.key,
                      .value = entry.value,
                      .offset = first_offset + static_cast<int64_t>(i - first),
                      .producer_id = writes.producer_id(),
                      .producer_epoch = writes.producer_epoch()});
  }
}

}  // namespace kq::coordinator
