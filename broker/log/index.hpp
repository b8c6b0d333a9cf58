// The three indexes of a segment (wire.md, 8): sparse ones from offset and from timestamp to where to begin to look, and one of
// the transactions that were aborted.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/log/file_cache.hpp"

namespace kq::log {

// How a segment's files are named and opened.  Belongs to the log; outlives its segments.
struct SegmentHome {
  FileCache& cache;
  std::string directory;
  const char* after_suffix = "";      // the cleaner's are named apart until they are whole

  std::string path(int64_t base_offset, const char* suffix) const;
};

constexpr int offset_digits = 20;
std::string offset_name(int64_t offset);                  // 20 digits

namespace suffix {
constexpr const char* log = ".log";
constexpr const char* offset_index = ".index";
constexpr const char* time_index = ".timeindex";
constexpr const char* txn_index = ".txnindex";
constexpr const char* snapshot = ".snapshot";
constexpr const char* deleted = ".deleted";               // these three come after another
constexpr const char* cleaned = ".cleaned";
constexpr const char* swap = ".swap";
}  // namespace suffix

// A segment that is known by its name alone.
struct SegmentName {
  std::string directory;
  int64_t base_offset = 0;

  std::string path(const char* suffix) const { return directory + "/" + offset_name(base_offset) + suffix; }
};

// The offset that a file's name begins with, and what follows it.
struct OffsetName {
  int64_t offset;
  std::string_view rest;
};
std::optional<OffsetName> parse_offset_name(std::string_view file_name);
std::optional<int64_t> offset_of(std::string_view file_name, std::string_view rest);      // where just that follows it

struct OffsetEntry {
  int64_t offset = -1;                // last offset of a batch
  int64_t position = 0;               // where that batch starts

  static constexpr size_t bytes = 8;
  static constexpr const char* file_suffix = suffix::offset_index;
  static OffsetEntry read(const std::byte* from, int64_t base_offset);
  void write(std::byte* to, int64_t base_offset) const;
  bool follows(const OffsetEntry& before) const { return offset > before.offset && position > before.position; }
  bool zero(int64_t base_offset) const { return offset == base_offset && position == 0; }      // the unused rest of a file
};

struct TimeEntry {
  int64_t timestamp = -1;             // largest so far
  int64_t offset = -1;                // last offset of the first batch that has it

  static constexpr size_t bytes = 12;
  static constexpr const char* file_suffix = suffix::time_index;
  static TimeEntry read(const std::byte* from, int64_t base_offset);
  void write(std::byte* to, int64_t base_offset) const;
  bool follows(const TimeEntry& before) const { return timestamp > before.timestamp && offset >= before.offset; }
  bool zero(int64_t base_offset) const { return offset == base_offset && timestamp == 0; }
};

// A file of entries that ascend.  The newest are in memory until a block of them is full, or a sync wants them: losing those in
// a crash costs nothing, as recovery builds what lies past the recovery point anew.  Nothing is mapped, and nothing is read before
// it is asked for.
template <class Entry>
class Index {
 public:
  Index(const SegmentHome& home, int64_t base_offset) : home_(home), base_offset_(base_offset) {}

  // Each of these settles what the file holds; until then it is taken to be as long as its entries.
  Status create(int64_t bytes_max);                       // a new, empty file of that size, zeros
  Status recover(int64_t offset_end);                     // keeps the entries below that offset that ascend: after a crash
  Result<size_t> count();

  Result<Entry> at(size_t i);
  Result<std::optional<Entry>> last();
  // How many entries, from the first, satisfy `holds`, which no entry does after one that does not.
  template <class Predicate>
  Result<size_t> partition_point(Predicate holds);

  Status append(const Entry& entry);                      // goes to the file when a block is full
  Status write_out();
  Status keep(size_t count);                              // entries after those go
  Status preallocate(int64_t bytes_max);
  Status trim();                                          // writes out; the file ends with its last entry
  bool full(int64_t bytes_max, size_t spare) const { return size_ + spare >= static_cast<size_t>(bytes_max) / Entry::bytes; }

  Result<std::shared_ptr<File>> file() { return home_.cache.open(place_, [this] { return path(); }, OpenMode::create); }
  std::string path() const { return home_.path(base_offset_, Entry::file_suffix); }
  void close() { home_.cache.close(place_); }
  bool unsynced() const { return unsynced_; }
  void set_synced() { unsynced_ = false; }
  void set_unsynced() { unsynced_ = true; }

 private:
  static constexpr size_t block = 4096 / Entry::bytes;    // entries

  Status load();
  Result<std::vector<Entry>> read(size_t from, size_t to);

  const SegmentHome& home_;
  const int64_t base_offset_;
  FileCache::Place place_;
  bool loaded_ = false;
  bool preallocated_ = false;
  bool unsynced_ = false;
  size_t size_ = 0;                                       // entries, those in memory included
  size_t in_file_ = 0;
  std::vector<Entry> newest_;                             // those after in_file_
};

template <class Entry>
template <class Predicate>
Result<size_t> Index<Entry>::partition_point(Predicate holds) {
  KQ_TRY(load());
  if (!newest_.empty() && holds(newest_.front())) {
    return in_file_ + static_cast<size_t>(std::partition_point(newest_.begin(), newest_.end(), holds) - newest_.begin());
  }
  size_t low = 0, high = in_file_;
  while (high - low > block) {
    const size_t middle = low + (high - low) / 2;
    KQ_TRY_ASSIGN(const Entry entry, at(middle));
    (holds(entry) ? low : high) = middle;
  }
  KQ_TRY_ASSIGN(const auto entries, read(low, high));
  return low + static_cast<size_t>(std::partition_point(entries.begin(), entries.end(), holds) - entries.begin());
}

extern template class Index<OffsetEntry>;
extern template class Index<TimeEntry>;
using OffsetIndex = Index<OffsetEntry>;
using TimeIndex = Index<TimeEntry>;

// An aborted transaction, in the segment that holds its marker.
struct TxnEntry {
  int64_t producer_id = -1;
  int64_t first_offset = -1;
  int64_t last_offset = -1;           // the marker's
  int64_t last_stable_offset = -1;    // after the marker
};

// Ordered by last offset.  The file comes with its first entry.  An entry that finds no room on the disk stays in memory until
// write_out succeeds.
class TxnIndex {
 public:
  TxnIndex(const SegmentHome& home, int64_t base_offset) : home_(home), base_offset_(base_offset) {}

  Status append(const TxnEntry&);
  Status write_out();
  Status truncate_to(int64_t offset);                     // entries whose marker is at or above `offset` go
  Result<std::vector<TxnEntry>> all();
  Result<std::shared_ptr<File>> file() { return home_.cache.open(place_, [this] { return path(); }, OpenMode::create); }
  std::string path() const { return home_.path(base_offset_, suffix::txn_index); }
  void close() { home_.cache.close(place_); }
  bool unsynced() const { return unsynced_; }
  void set_synced() { unsynced_ = false; }
  void set_unsynced() { unsynced_ = home_.cache.files().exists(path()); }

 private:
  static constexpr size_t bytes = 34;
  static constexpr int16_t version = 0;

  Status load();

  const SegmentHome& home_;
  const int64_t base_offset_;
  FileCache::Place place_;
  std::optional<size_t> in_file_;
  std::vector<TxnEntry> newest_;                          // those after in_file_
  bool unsynced_ = false;
};

}  // namespace kq::log
