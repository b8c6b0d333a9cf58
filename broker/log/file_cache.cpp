#include "broker/log/file_cache.hpp"

namespace kq::log {

bool FileCache::Place::pinned() const {
  const auto entry = entry_.lock();
  if (!entry) return false;
  const long own = 1 + (entry->held.load(std::memory_order_acquire) ? 1 : 0);
  return entry.use_count() > own;
}

Result<std::shared_ptr<File>> FileCache::open_new(Place& place, const std::string& path, OpenMode mode) {
  KQ_TRY_ASSIGN(auto file, files_.open(path, mode));
  auto entry = std::make_shared<Entry>();
  entry->file = std::move(file);
  place.entry_ = entry;
  std::vector<std::shared_ptr<Entry>> fallen_out;      // closed after the lock is given back
  {
    const std::lock_guard lock{mutex_};
    fallen_out = make_room();
    entry->index = entries_.size();
    entries_.push_back(entry);
  }
  return std::shared_ptr<File>(entry, entry->file.get());
}

void FileCache::close(Place& place) {
  const auto entry = place.entry_.lock();
  place.entry_.reset();
  if (!entry) return;
  const std::lock_guard lock{mutex_};
  if (entry->held.load(std::memory_order_relaxed)) take_out(entry->index);
}

std::shared_ptr<FileCache::Entry> FileCache::take_out(size_t index) {
  std::swap(entries_[index], entries_.back());
  entries_[index]->index = index;
  auto entry = std::move(entries_.back());
  entries_.pop_back();
  entry->held.store(false, std::memory_order_release);
  return entry;
}

// Two rounds of the hand at most: the first takes away the marks of use.
std::vector<std::shared_ptr<FileCache::Entry>> FileCache::make_room() {
  std::vector<std::shared_ptr<Entry>> fallen_out;
  while (entries_.size() >= open_max_) {
    if (hand_ >= entries_.size()) hand_ = 0;
    if (entries_[hand_]->used.exchange(false, std::memory_order_relaxed)) {
      ++hand_;
    } else {
      fallen_out.push_back(take_out(hand_));
    }
  }
  return fallen_out;
}

size_t FileCache::open_count() const {
  const std::lock_guard lock{mutex_};
  return entries_.size();
}

}  // namespace kq::log
