// Open files, bounded in number: what lets a hundred thousand partitions live under one limit of descriptors.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "broker/log/file.hpp"

namespace kq::log {

// Shared by all logs of a broker; any thread.  A file that was used since the hand last passed stays (CLOCK); one that falls out
// is closed when the last reader lets go of it, so slices that are being sent may exceed the bound for their time.
class FileCache {
  struct Entry {
    std::shared_ptr<File> file;
    std::atomic<bool> used{true};
    std::atomic<bool> held{true};          // by the cache
    size_t index = 0;                      // in entries_
  };

 public:
  static constexpr size_t open_files_max_default = 16'384;      // log.open.files.max

  FileCache(FileSystem& files, size_t open_max) : files_(files), open_max_(open_max > 0 ? open_max : 1) {}

  // One file's place in the cache, kept by who owns the file (a segment).  As many threads at a time as the owner allows: one.
  class Place {
   public:
    // Does anybody but the cache hold the file: a slice on its way to a socket, a sync?
    bool pinned() const;
   private:
    friend class FileCache;
    std::weak_ptr<Entry> entry_;
  };

  // The open file of `place`; `path` is called for its name only when it must be opened.
  template <class Path>
  Result<std::shared_ptr<File>> open(Place& place, Path&& path, OpenMode mode = OpenMode::write) {
    if (auto entry = place.entry_.lock()) {
      entry->used.store(true, std::memory_order_relaxed);
      return std::shared_ptr<File>(entry, entry->file.get());
    }
    return open_new(place, path(), mode);
  }

  // Lets go of the file: for one that is removed, renamed or replaced.  The next open finds what then has its name.
  void close(Place&);

  size_t open_count() const;
  FileSystem& files() { return files_; }

 private:
  Result<std::shared_ptr<File>> open_new(Place&, const std::string& path, OpenMode);
  std::shared_ptr<Entry> take_out(size_t index);
  std::vector<std::shared_ptr<Entry>> make_room();

  FileSystem& files_;
  const size_t open_max_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Entry>> entries_;       // the clock's face
  size_t hand_ = 0;
};

}  // namespace kq::log
