// A disk in memory that can fail, fill up, stop between any two operations, and forget what was not synced.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/log/file.hpp"
#include "libkq/base/random.hpp"

namespace kq::sim {

struct MemoryInode;

// What a real disk may do, as unkindly as POSIX allows.  Written bytes last over a crash only where the file was synced since; of the others
// each sector of 512 bytes may be the old or the new one.  A new, renamed or removed name lasts only once its directory was
// synced; of the others a prefix in the order of the calls may have lasted.  One thread.
class MemoryFileSystem final : public log::FileSystem {
 public:
  static constexpr size_t sector_bytes = 512;

  // ---- faults ----
  // Told before every operation that changes the disk, e.g. "write", "sync", "rename", with its path; it may call stop().
  void on_operation(std::function<void(const char* operation, const std::string& path)> hook) { hook_ = std::move(hook); }
  void set_capacity(uint64_t bytes) { capacity_ = bytes; }            // of all files; a write beyond it is cut off, and fails as on a full disk
  void fail_operation(uint64_t countdown) { fail_in_ = countdown; }   // the n-th changing operation from now fails once; 0: none
  void stop() { stopped_ = true; }                                    // every operation fails from now on, without effect
  bool stopped() const { return stopped_; }
  // The machine loses power and starts again: what was not synced is kept or lost by `random`.  Open files and locks are gone.
  void crash(Random& random);
  // A process is killed and started again: everything written is there.  Open files and locks are gone.
  void restart();
  uint64_t operations() const { return operations_; }

  // ---- FileSystem ----
  Result<std::shared_ptr<log::File>> open(const std::string& path, log::OpenMode) override;
  bool exists(const std::string& path) override;
  Result<uint64_t> size(const std::string& path) override;
  Result<int64_t> modified_ms(const std::string& path) override;
  Status set_modified_ms(const std::string& path, int64_t ms) override;
  Result<std::vector<log::DirectoryEntry>> list(const std::string& directory) override;
  Status make_directory(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status remove_tree(const std::string& directory) override;
  Status sync_directory(const std::string& directory) override;
  Result<log::DiskSpace> space(const std::string& directory) override;
  Result<std::unique_ptr<log::FileLock>> lock(const std::string& path) override;

 private:
  friend class MemoryFile;
  friend class MemoryLock;
  using InodePtr = std::shared_ptr<MemoryInode>;                      // null: a directory
  using Names = std::map<std::string, InodePtr>;

  // A change of names that no directory sync has made lasting yet.
  struct NameChange {
    enum class Kind { add, remove, rename } kind;
    std::string path;
    std::string to;                                                   // of a rename
    InodePtr inode;                                                   // of an add
  };

  static Names roots() { return {{"/", nullptr}, {".", nullptr}}; }
  Status begin(const char* operation, const std::string& path);
  uint64_t room() const;
  uint64_t used_bytes() const;
  void change(NameChange);
  static void apply(Names&, const NameChange&);
  static bool touches(const NameChange&, const std::string& directory);

  Names names_ = roots();                                             // as a process sees them
  Names lasting_names_ = roots();                                     // as they would be after a crash
  std::vector<NameChange> pending_;
  std::set<std::string> locks_;
  std::function<void(const char*, const std::string&)> hook_;
  uint64_t capacity_ = UINT64_MAX;
  uint64_t fail_in_ = 0;
  uint64_t operations_ = 0;
  uint64_t generation_ = 0;                                           // of the process: files of an older one are dead
  bool stopped_ = false;
};

}  // namespace kq::sim
