#include "broker/log/segment.hpp"

#include <algorithm>

namespace kq::log {

Status Segment::create(const LogConfig& config, int64_t jitter_ms) {
  jitter_ms_ = jitter_ms;
  home_.cache.close(place_);
  KQ_TRY_ASSIGN(const auto file, home_.cache.open(place_, [this] { return path(suffix::log); }, OpenMode::create));
  KQ_TRY(file->truncate(0));
  if (home_.cache.files().exists(txns_.path())) KQ_TRY(home_.cache.files().remove(txns_.path()));
  KQ_TRY(offsets_.create(config.segment_index_bytes));
  KQ_TRY(times_.create(config.segment_index_bytes));
  size_ = writeback_from_ = bytes_since_index_entry_ = 0;
  largest_timestamp_ = TimeEntry{-1, base_offset_};
  first_timestamp_.reset();
  unsynced_ = true;
  return {};
}

Result<int64_t> Segment::first_timestamp() {
  if (first_timestamp_) return *first_timestamp_;
  KQ_TRY_ASSIGN(const auto file, this->file());
  BatchScanner scanner(*file, 0, size_, BatchScanner::look_up_buffer);
  KQ_TRY_ASSIGN(const Step step, scanner.next());
  first_timestamp_ = step == Step::batch ? scanner.batch().max_timestamp : -1;
  return *first_timestamp_;
}

Result<bool> Segment::must_roll(const LogConfig& config, int64_t bytes, int64_t last_offset, int64_t max_timestamp,
                                int64_t now_ms) {
  if (size_ + bytes > config.segment_bytes) return true;
  if (last_offset - base_offset_ > offset_delta_max) return true;
  if (size_ == 0) return false;
  KQ_TRY(offsets_.preallocate(config.segment_index_bytes));       // after a restart they are as long as their entries
  KQ_TRY(times_.preallocate(config.segment_index_bytes));
  if (offsets_.full(config.segment_index_bytes, 0) || times_.full(config.segment_index_bytes, 1)) return true;
  KQ_TRY_ASSIGN(const int64_t first, first_timestamp());
  const int64_t waited = first >= 0 ? max_timestamp - first : now_ms - created_ms_;
  return waited > config.segment_ms_max() - jitter_ms_;
}

Status Segment::append(Bytes batches, const LogConfig& config, bool& broken) {
  KQ_TRY_ASSIGN(const auto file, this->file());
  KQ_TRY_ASSIGN(const TimeEntry largest, largest_timestamp());
  largest_timestamp_ = largest;
  if (Status written = file->write_at(static_cast<uint64_t>(size_), batches); !written) {
    KQ_TRY(take_back(*file, broken));
    return written;
  }
  unsynced_ = true;
  int64_t position = size_;
  size_ += static_cast<int64_t>(batches.size());
  BatchView batch;
  while (next_batch(batches, batch) == Step::batch) {
    // An index block that finds no room on the disk stays in memory and is tried again with the next one.
    if (Status noted = note(place_of(batch, position), config); !noted && !disk_full(noted.error())) {
      broken = true;
      return noted;
    }
    position += static_cast<int64_t>(batch.size());
  }
  if (size_ - writeback_from_ >= writeback_bytes) {
    file->start_writeback(static_cast<uint64_t>(writeback_from_), static_cast<uint64_t>(size_ - writeback_from_));
    writeback_from_ = size_;
  }
  return {};
}

// A part of the write may have gone through: on a disk that fills up, mostly.
Status Segment::take_back(File& file, bool& broken) {
  Result<uint64_t> now = file.size();
  if (now && *now <= static_cast<uint64_t>(size_)) return {};
  if (now && file.truncate(static_cast<uint64_t>(size_))) return {};
  broken = true;
  return {};
}

// The order is Kafka 4.2's: the batch counts for the largest timestamp before an entry is made for it.
Status Segment::note(const BatchPlace& batch, const LogConfig& config) {
  if (batch.position == 0) first_timestamp_ = batch.max_timestamp;
  if (batch.max_timestamp > largest_timestamp_->timestamp) largest_timestamp_ = TimeEntry{batch.max_timestamp, batch.last_offset};
  Status outcome;
  if (bytes_since_index_entry_ > config.index_interval_bytes) {
    bytes_since_index_entry_ = 0;
    outcome = offsets_.append({batch.last_offset, batch.position});
    KQ_TRY_ASSIGN(const auto last, times_.last());
    if (largest_timestamp_->timestamp > (last ? last->timestamp : -1)) {
      Status timed = times_.append(*largest_timestamp_);
      if (outcome) outcome = std::move(timed);
    }
  }
  bytes_since_index_entry_ += batch.size;
  return outcome;
}

Result<std::optional<BatchPlace>> Segment::find(int64_t offset, ColdSlice* cold) {
  KQ_TRY_ASSIGN(const auto index_file, offsets_.file());
  KQ_TRY_ASSIGN(const size_t entries, offsets_.count());
  const uint64_t index_bytes = entries * OffsetEntry::bytes;
  if (cold && !index_file->cached(0, index_bytes)) {
    *cold = Slice{index_file, 0, index_bytes, -1, base_offset_};
    return std::optional<BatchPlace>{};
  }
  KQ_TRY_ASSIGN(const size_t after, offsets_.partition_point([&](const OffsetEntry& entry) { return entry.offset <= offset; }));
  int64_t position = 0;
  if (after > 0) {
    KQ_TRY_ASSIGN(const OffsetEntry entry, offsets_.at(after - 1));
    position = entry.position;
  }
  KQ_TRY_ASSIGN(const auto file, this->file());
  BatchScanner scanner(*file, position, size_, BatchScanner::look_up_buffer);
  for (;;) {
    const auto from = static_cast<uint64_t>(scanner.position());
    if (cold && scanner.position() < size_ && !file->cached(from, batch_header_size)) {
      constexpr uint64_t ahead = 128 << 10;                 // the scan's next steps, most likely
      *cold = Slice{file, from, std::min<uint64_t>(ahead, static_cast<uint64_t>(size_) - from), -1, base_offset_};
      return std::optional<BatchPlace>{};
    }
    KQ_TRY_ASSIGN(const Step step, scanner.next());
    if (step == Step::end) return std::optional<BatchPlace>{};
    if (step != Step::batch) {
      return Error{own_code::data, path(suffix::log) + " holds no batch at " + std::to_string(from) + "; stop the broker and remove " +
                                       ".kafka_cleanshutdown, so that the log is checked"};
    }
    if (scanner.batch().last_offset >= offset) return std::optional<BatchPlace>{scanner.batch()};
  }
}

Result<std::optional<int64_t>> Segment::offset_after(int64_t position) {
  if (position >= size_) return std::optional<int64_t>{};
  KQ_TRY_ASSIGN(const size_t i, offsets_.partition_point([&](const OffsetEntry& entry) { return entry.position < position; }));
  KQ_TRY_ASSIGN(const size_t entries, offsets_.count());
  if (i == entries) return std::optional<int64_t>{};
  KQ_TRY_ASSIGN(const OffsetEntry entry, offsets_.at(i));
  return std::optional<int64_t>{entry.offset};
}

Result<OffsetEntry> Segment::entry_before(int64_t position) {
  KQ_TRY_ASSIGN(const size_t i, offsets_.partition_point([&](const OffsetEntry& entry) { return entry.position <= position; }));
  if (i == 0) return OffsetEntry{base_offset_, 0};
  return offsets_.at(i - 1);
}

Result<int64_t> Segment::next_offset_at(int64_t position) {
  KQ_TRY_ASSIGN(const OffsetEntry from, entry_before(position - 1));
  KQ_TRY_ASSIGN(const auto file, this->file());
  BatchScanner scanner(*file, from.position, position, BatchScanner::scan_buffer);
  int64_t next_offset = base_offset_;
  for (;;) {
    KQ_TRY_ASSIGN(const Step step, scanner.next());
    if (step != Step::batch) return next_offset;
    next_offset = scanner.batch().last_offset + 1;
  }
}

Result<std::optional<int64_t>> Segment::read_next_offset() {
  KQ_TRY_ASSIGN(const auto last, offsets_.last());
  KQ_TRY_ASSIGN(const auto file, this->file());
  BatchScanner scanner(*file, last ? last->position : 0, size_, BatchScanner::scan_buffer);
  if (last) {
    KQ_TRY_ASSIGN(const Step step, scanner.next());
    if (step != Step::batch || last->position == 0 || scanner.batch().last_offset != last->offset) return std::optional<int64_t>{};
  }
  // The time index knows what lies before the offset index's last entry; not always what follows.
  KQ_TRY_ASSIGN(TimeEntry largest, largest_timestamp());
  int64_t next_offset = last ? last->offset + 1 : base_offset_;
  for (;;) {
    KQ_TRY_ASSIGN(const Step step, scanner.next());
    if (step == Step::end) break;
    if (step != Step::batch) return std::optional<int64_t>{};
    next_offset = scanner.batch().last_offset + 1;
    if (scanner.batch().max_timestamp > largest.timestamp) largest = {scanner.batch().max_timestamp, scanner.batch().last_offset};
  }
  largest_timestamp_ = largest;
  return std::optional<int64_t>{next_offset};
}

Result<TimeEntry> Segment::largest_timestamp() {
  if (!largest_timestamp_) {
    KQ_TRY_ASSIGN(const auto last, times_.last());
    largest_timestamp_ = last.value_or(TimeEntry{-1, base_offset_});
  }
  return *largest_timestamp_;
}

Result<int64_t> Segment::last_touched_ms() {
  KQ_TRY_ASSIGN(const TimeEntry largest, largest_timestamp());
  if (largest.timestamp >= 0) return largest.timestamp;
  return home_.cache.files().modified_ms(path(suffix::log));
}

Result<int64_t> Segment::position_for_timestamp(int64_t timestamp, int64_t start_offset) {
  KQ_TRY_ASSIGN(const size_t after, times_.partition_point([&](const TimeEntry& entry) { return entry.timestamp <= timestamp; }));
  int64_t offset = start_offset;
  if (after > 0) {
    KQ_TRY_ASSIGN(const TimeEntry entry, times_.at(after - 1));
    // All before this entry's batch is below `timestamp`, unless the entry has just that: then it is the first.
    offset = std::max(offset, entry.offset);
  }
  KQ_TRY_ASSIGN(const size_t i, offsets_.partition_point([&](const OffsetEntry& entry) { return entry.offset <= offset; }));
  if (i == 0) return 0;
  KQ_TRY_ASSIGN(const OffsetEntry entry, offsets_.at(i - 1));
  return entry.position;
}

Status Segment::truncate(int64_t position, int64_t offset, int64_t now_ms) {
  KQ_CHECK(position <= size_);
  if (position < size_) {
    if (place_.pinned()) {
      KQ_TRY(replace_by_copy(position));
    } else {
      KQ_TRY_ASSIGN(const auto file, this->file());
      KQ_TRY(file->truncate(static_cast<uint64_t>(position)));
      KQ_TRY(file->sync());
    }
    size_ = position;
  }
  writeback_from_ = std::min(writeback_from_, position);
  bytes_since_index_entry_ = 0;
  if (size_ == 0) {
    created_ms_ = now_ms;
    first_timestamp_.reset();
  }
  KQ_TRY_ASSIGN(const size_t offsets, offsets_.partition_point([&](const OffsetEntry& entry) { return entry.offset < offset; }));
  KQ_TRY(offsets_.keep(offsets));
  KQ_TRY_ASSIGN(const size_t times, times_.partition_point([&](const TimeEntry& entry) { return entry.offset < offset; }));
  KQ_TRY(times_.keep(times));
  KQ_TRY(txns_.truncate_to(offset));
  // The largest timestamp is the last entry's, or lies after it.
  KQ_TRY_ASSIGN(const auto last_time, times_.last());
  KQ_TRY_ASSIGN(const auto last_offset, offsets_.last());
  largest_timestamp_ = last_time.value_or(TimeEntry{-1, base_offset_});
  KQ_TRY_ASSIGN(const auto file, this->file());
  BatchScanner scanner(*file, last_time && last_offset ? last_offset->position : 0, size_, BatchScanner::scan_buffer);
  for (;;) {
    KQ_TRY_ASSIGN(const Step step, scanner.next());
    if (step != Step::batch) return {};
    const BatchPlace& batch = scanner.batch();
    if (batch.max_timestamp > largest_timestamp_->timestamp) largest_timestamp_ = TimeEntry{batch.max_timestamp, batch.last_offset};
  }
}

// A slice on its way to a socket keeps the old file; the log goes on in a new one.
Status Segment::replace_by_copy(int64_t position) {
  KQ_TRY_ASSIGN(const auto from, this->file());
  const std::string copy_path = path(suffix::log) + suffix::cleaned;
  KQ_TRY_ASSIGN(const auto to, home_.cache.files().open(copy_path, OpenMode::create));
  KQ_TRY(to->truncate(0));
  std::vector<std::byte> piece(BatchScanner::scan_buffer);
  for (int64_t at = 0; at < position;) {
    const auto wanted = static_cast<size_t>(std::min<int64_t>(position - at, static_cast<int64_t>(piece.size())));
    KQ_TRY_ASSIGN(const size_t got, from->read_at(static_cast<uint64_t>(at), MutableBytes{piece}.first(wanted)));
    if (got == 0) return Error{own_code::data, path(suffix::log) + " is shorter than it was: something else writes here"};
    KQ_TRY(to->write_at(static_cast<uint64_t>(at), Bytes{piece}.first(got)));
    at += static_cast<int64_t>(got);
  }
  KQ_TRY(to->sync());
  KQ_TRY(home_.cache.files().rename(copy_path, path(suffix::log)));
  home_.cache.close(place_);
  return home_.cache.files().sync_directory(home_.directory);
}

Status Segment::finish() {
  KQ_TRY_ASSIGN(const TimeEntry largest, largest_timestamp());
  KQ_TRY_ASSIGN(const auto last, times_.last());
  if (largest.timestamp > (last ? last->timestamp : -1)) KQ_TRY(times_.append(largest));
  return trim();
}

Status Segment::trim() {
  KQ_TRY(times_.trim());
  return offsets_.trim();
}

// Checking begins at the last index entry below `trusted_end`, if the log agrees with it, else at the start.  Entries below that
// point were synced together, so the time index knows all that lies before the offset index's last; they are left as they are.
Result<Segment::RecoveryStart> Segment::start_recovery(int64_t trusted_end, Indexes indexes) {
  KQ_TRY_ASSIGN(const auto file, this->file());
  KQ_TRY_ASSIGN(const uint64_t size, file->size());
  size_ = static_cast<int64_t>(size);
  writeback_from_ = size_;
  bytes_since_index_entry_ = 0;
  first_timestamp_.reset();
  // Whoever was killed may have left more than the log unsynced.
  unsynced_ = true;
  txns_.set_unsynced();
  offsets_.set_unsynced();
  times_.set_unsynced();
  KQ_TRY(txns_.truncate_to(trusted_end));
  KQ_TRY(offsets_.recover(trusted_end));
  KQ_TRY(times_.recover(trusted_end));
  KQ_TRY_ASSIGN(const auto last, offsets_.last());
  KQ_TRY_ASSIGN(const auto last_time, times_.last());
  largest_timestamp_ = last_time.value_or(TimeEntry{-1, base_offset_});
  if (!last && indexes != Indexes::lost) return RecoveryStart{0, false};
  if (indexes != Indexes::lost && last->position < size_ && last_time) {
    BatchScanner scanner(*file, last->position, size_, BatchScanner::look_up_buffer);
    KQ_TRY_ASSIGN(const Step step, scanner.next());
    if (step == Step::batch && scanner.batch().last_offset == last->offset) return RecoveryStart{last->position, false};
  }
  KQ_TRY(offsets_.keep(0));
  KQ_TRY(times_.keep(0));
  largest_timestamp_ = TimeEntry{-1, base_offset_};
  return RecoveryStart{0, true};
}

// A batch whose index entry, if it has one, is there already.
Status Segment::skim(const BatchPlace& batch) {
  if (batch.position == 0) first_timestamp_ = batch.max_timestamp;
  if (batch.max_timestamp > largest_timestamp_->timestamp) largest_timestamp_ = TimeEntry{batch.max_timestamp, batch.last_offset};
  bytes_since_index_entry_ += batch.size;
  return {};
}

// The time index first: it may know more than the offset index, but not less.
Status Segment::save_indexes() {
  KQ_TRY(times_.write_out());
  KQ_TRY_ASSIGN(const auto times, times_.file());
  KQ_TRY(times->sync());
  KQ_TRY(offsets_.write_out());
  KQ_TRY_ASSIGN(const auto offsets, offsets_.file());
  return offsets->sync();
}

void Segment::set_synced(bool with_indexes) {
  unsynced_ = false;
  if (!with_indexes) return;
  offsets_.set_synced();
  times_.set_synced();
  txns_.set_synced();
}

void Segment::close_files() {
  home_.cache.close(place_);
  offsets_.close();
  times_.close();
  txns_.close();
}

}  // namespace kq::log
