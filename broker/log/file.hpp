// The seam between the log and the disk: real files, or files in the simulator's memory with faults.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libkq/base/file_source.hpp"

namespace kq::log {

// A part of a file, mapped.  Written through; unmapped when it dies.
class Mapping {
 public:
  virtual ~Mapping() = default;
  virtual MutableBytes bytes() = 0;
};

// One open file.  Positions are explicit, so that any number of threads may read beside the one that writes.
// Whoever holds a shared_ptr may read on after the file was removed or renamed: that is how a fetch pins its segment.
class File : public FileSource {
 public:
  virtual Status write_at(uint64_t position, std::span<const Bytes> pieces) = 0;     // all of them in one system call, or an error
  virtual Result<uint64_t> size() const = 0;
  virtual Status truncate(uint64_t size) = 0;                                        // longer: filled with zeros
  virtual Status sync() = 0;                                                         // fdatasync; never tried again after a failure
  virtual void start_writeback(uint64_t from, uint64_t length) = 0;                  // sync_file_range, no promise
  virtual bool cached(uint64_t position, size_t length) const = 0;                   // would a read be answered from memory?
  virtual Result<std::unique_ptr<Mapping>> map(uint64_t size) = 0;                   // from position 0, shared, writable
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

// What can fail answers with an Error of own_code::system whose text has the path and errno's words.  A full disk is
// told apart by `disk_full(error)`.  Any thread may call.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::shared_ptr<File>> open(const std::string& path, OpenMode) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual Result<std::vector<DirectoryEntry>> list(const std::string& directory) = 0;   // sorted by name, without . and ..
  virtual Status make_directory(const std::string& path) = 0;                           // with its parents; existing is success
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;                                   // a file; absent is success
  virtual Status remove_tree(const std::string& directory) = 0;
  virtual Status sync_directory(const std::string& directory) = 0;
  virtual Result<uint64_t> free_bytes(const std::string& directory) = 0;
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

FileSystem& real_file_system();
bool disk_full(const Error&);

// A whole small file: read with a limit; written to `path.tmp`, synced, renamed over `path`, directory synced.
Result<std::string> read_small_file(FileSystem&, const std::string& path, size_t size_max = 64 << 20);
Status replace_file(FileSystem&, const std::string& path, std::string_view content);

}  // namespace kq::log
