// The seam between the log and the disk: real files, or files in the simulator's memory with faults.
//
// Nothing is mapped into memory: a full or failing disk under a mapping is a SIGBUS, which no guest may bring on its host.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libkq/base/file_source.hpp"

namespace kq::log {

// One open file.  Positions are explicit, so that any number of threads may read beside the one that writes.
// Whoever holds a shared_ptr may read on after the file was removed or renamed: that is how a fetch pins its segment.
class File : public FileSource {
 public:
  virtual Status write_at(uint64_t position, std::span<const Bytes> pieces) = 0;     // all of them in one system call, or an error
  virtual Result<uint64_t> size() const = 0;
  virtual Status truncate(uint64_t size) = 0;                                        // longer: filled with zeros
  virtual Status sync() = 0;                                                         // fdatasync; never tried again after a failure
  virtual void start_writeback(uint64_t from, uint64_t length) = 0;                  // sync_file_range, no promise
  virtual bool cached(uint64_t position, uint64_t length) const = 0;                 // would a read be answered from memory?

  Status write_at(uint64_t position, Bytes bytes) { return write_at(position, std::span{&bytes, 1}); }
};

enum class OpenMode { read, write, create };                                         // write: exists; create: exists or is made

// Held until it dies; a second holder, in this process or another, is refused.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct DirectoryEntry {
  std::string name;
  bool is_directory;
};

// Of the file system that a directory lies on, in bytes.
struct DiskSpace {
  uint64_t total = 0;
  uint64_t usable = 0;                                                                // by this process
};

// What can fail answers with an Error whose text has the path and errno's words; its code is own_code::system, or
// own_code::no_room (verdict: retry) where the disk is full.  Any thread may call.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::shared_ptr<File>> open(const std::string& path, OpenMode) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual Result<uint64_t> size(const std::string& path) = 0;                           // of a file, without opening it
  virtual Result<int64_t> modified_ms(const std::string& path) = 0;                     // when its content last changed, or was said to
  virtual Status set_modified_ms(const std::string& path, int64_t) = 0;
  virtual Result<std::vector<DirectoryEntry>> list(const std::string& directory) = 0;   // sorted by name, without . and ..
  virtual Status make_directory(const std::string& path) = 0;                           // with its parents; existing is success
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;                                   // a file; absent is success
  virtual Status remove_tree(const std::string& directory) = 0;                         // absent is success
  virtual Status sync_directory(const std::string& directory) = 0;
  virtual Result<DiskSpace> space(const std::string& directory) = 0;
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

FileSystem& real_file_system();
bool disk_full(const Error&);
// errno as such an Error: own_code::no_room for ENOSPC, EDQUOT and EFBIG, else own_code::system.
Error file_error(std::string_view what, std::string_view path, int error_number);

// The directory that holds `path`.
std::string parent_of(const std::string& path);

constexpr size_t small_file_bytes_max = 64 << 20;

// A whole small file.  Writing: to `path.tmp`, synced, renamed over `path`, directory synced.
Result<std::string> read_small_file(FileSystem&, const std::string& path, size_t size_max = small_file_bytes_max);
Status write_synced_file(FileSystem&, const std::string& path, std::string_view content);      // in place; the directory is not synced
Status replace_file(FileSystem&, const std::string& path, std::string_view content);

}  // namespace kq::log
