#include "tests/sim/memory_file_system.hpp"

#include <algorithm>
#include <cerrno>

#include "libkq/base/clock.hpp"

namespace kq::sim {

// Contents as processes see them, and as they would be after a crash.
struct MemoryInode {
  std::vector<std::byte> bytes;
  std::vector<std::byte> lasting;
  size_t dirty_from = SIZE_MAX, dirty_to = 0;                         // what may differ between the two
  int64_t modified_ms = wall_clock_ms();

  void resize(size_t size) {
    touched(std::min(size, bytes.size()), std::max(size, bytes.size()));
    bytes.resize(size);
  }
  void touched(size_t from, size_t to) {
    dirty_from = std::min(dirty_from, from);
    dirty_to = std::max(dirty_to, to);
    modified_ms = wall_clock_ms();
  }
  void sync() {
    lasting.resize(bytes.size());
    const size_t to = std::min(dirty_to, bytes.size());
    if (dirty_from < to) std::copy(bytes.begin() + index(dirty_from), bytes.begin() + index(to), lasting.begin() + index(dirty_from));
    dirty_from = SIZE_MAX, dirty_to = 0;
  }
  void crash(Random& random) {
    enum { all, none, some };
    const auto fate = random.below(3);
    if (fate == none) bytes = lasting;
    if (fate == some) mix(random);
    lasting = bytes;
    dirty_from = SIZE_MAX, dirty_to = 0;
  }

 private:
  static ptrdiff_t index(size_t i) { return static_cast<ptrdiff_t>(i); }
  void mix(Random& random) {
    const size_t low = std::min(bytes.size(), lasting.size()), high = std::max(bytes.size(), lasting.size());
    bytes.resize(low + random.below(high - low + 1));
    for (size_t at = 0; at < bytes.size(); at += MemoryFileSystem::sector_bytes) {
      if (random.one_in(2)) continue;
      const size_t end = std::min(bytes.size(), at + MemoryFileSystem::sector_bytes);
      for (size_t i = at; i < end; ++i) bytes[i] = i < lasting.size() ? lasting[i] : std::byte{};
    }
  }
};

namespace {

using log::parent_of;

bool below(const std::string& path, const std::string& directory) {
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

Error refused(const char* operation, const std::string& path, int error_number) {
  return log::file_error(operation, path, error_number);
}

}  // namespace

class MemoryFile final : public log::File {
 public:
  MemoryFile(MemoryFileSystem& files, std::shared_ptr<MemoryInode> inode, std::string path)
      : files_(files), inode_(std::move(inode)), path_(std::move(path)), generation_(files.generation_) {}

  int descriptor() const override { return -1; }
  Result<size_t> read_at(uint64_t position, MutableBytes into) const override {
    if (dead()) return refused("read", path_, EIO);
    if (position >= inode_->bytes.size()) return size_t{0};
    const size_t count = std::min<size_t>(into.size(), inode_->bytes.size() - position);
    std::copy_n(inode_->bytes.begin() + static_cast<ptrdiff_t>(position), count, into.begin());
    return count;
  }
  Status write_at(uint64_t position, std::span<const Bytes> pieces) override {
    if (dead()) return refused("write", path_, EIO);
    size_t length = 0;
    for (const Bytes piece : pieces) length += piece.size();
    Status outcome = files_.begin("write", path_);
    if (dead()) return outcome;
    if (!outcome) length /= 2;                                        // a write that fails may have come half the way
    const size_t size = inode_->bytes.size();
    if (const size_t growth = position + length > size ? position + length - size : 0; outcome && growth > 0) {
      const uint64_t room = files_.room();
      if (growth > room) {
        outcome = refused("write", path_, ENOSPC);
        length = position + length - growth + room > position ? length - growth + room : 0;
      }
    }
    put(position, pieces, length);
    return outcome;
  }
  Result<uint64_t> size() const override {
    if (dead()) return refused("stat", path_, EIO);
    return uint64_t{inode_->bytes.size()};
  }
  Status truncate(uint64_t size) override {
    if (dead()) return refused("truncate", path_, EIO);
    KQ_TRY(files_.begin("truncate", path_));
    inode_->resize(size);                                             // a hole takes no room
    return {};
  }
  Status sync() override {
    if (dead()) return refused("sync", path_, EIO);
    KQ_TRY(files_.begin("sync", path_));
    inode_->sync();
    return {};
  }
  void start_writeback(uint64_t, uint64_t) override {}
  bool cached(uint64_t, uint64_t) const override { return true; }

 private:
  void put(size_t position, std::span<const Bytes> pieces, size_t length) {
    if (length == 0) return;
    const size_t end = position + length;
    if (end > inode_->bytes.size()) inode_->resize(end);
    inode_->touched(position, end);
    for (const Bytes piece : pieces) {
      const size_t count = std::min(piece.size(), end - position);
      std::copy_n(piece.begin(), count, inode_->bytes.begin() + static_cast<ptrdiff_t>(position));
      position += count;
    }
  }
  bool dead() const { return files_.stopped_ || generation_ != files_.generation_; }

  MemoryFileSystem& files_;
  std::shared_ptr<MemoryInode> inode_;
  std::string path_;
  uint64_t generation_;
};

class MemoryLock final : public log::FileLock {
 public:
  MemoryLock(MemoryFileSystem& files, std::string path) : files_(files), path_(std::move(path)), generation_(files.generation_) {}
  ~MemoryLock() override {
    if (generation_ == files_.generation_) files_.locks_.erase(path_);
  }

 private:
  MemoryFileSystem& files_;
  std::string path_;
  uint64_t generation_;
};

Status MemoryFileSystem::begin(const char* operation, const std::string& path) {
  if (stopped_) return refused(operation, path, EIO);
  ++operations_;
  if (hook_) hook_(operation, path);
  if (stopped_) return refused(operation, path, EIO);
  if (fail_in_ > 0 && --fail_in_ == 0) return refused(operation, path, EIO);
  return {};
}

uint64_t MemoryFileSystem::used_bytes() const {
  uint64_t sum = 0;
  for (const auto& [path, inode] : names_) sum += inode ? inode->bytes.size() : 0;
  return sum;
}

uint64_t MemoryFileSystem::room() const {
  const uint64_t used = capacity_ == UINT64_MAX ? 0 : used_bytes();
  return capacity_ > used ? capacity_ - used : 0;
}

void MemoryFileSystem::apply(Names& names, const NameChange& change) {
  switch (change.kind) {
    case NameChange::Kind::add: names[change.path] = change.inode; break;
    case NameChange::Kind::remove:
      std::erase_if(names, [&](const auto& entry) { return entry.first == change.path || below(entry.first, change.path); });
      break;
    case NameChange::Kind::rename: {
      Names moved;
      for (auto& [path, inode] : names)
        if (path == change.path || below(path, change.path)) moved[change.to + path.substr(change.path.size())] = inode;
      std::erase_if(names, [&](const auto& entry) { return entry.first == change.path || below(entry.first, change.path); });
      for (auto& [path, inode] : moved) names[path] = inode;
    }
  }
}

bool MemoryFileSystem::touches(const NameChange& change, const std::string& directory) {
  return parent_of(change.path) == directory || (change.kind == NameChange::Kind::rename && parent_of(change.to) == directory);
}

void MemoryFileSystem::change(NameChange change) {
  apply(names_, change);
  pending_.push_back(std::move(change));
}

void MemoryFileSystem::crash(Random& random) {
  const auto kept = random.below(pending_.size() + 1);
  for (size_t i = 0; i < kept; ++i) apply(lasting_names_, pending_[i]);
  pending_.clear();
  names_ = lasting_names_;
  for (auto& [path, inode] : names_)
    if (inode) inode->crash(random);
  restart();
}

void MemoryFileSystem::restart() {
  ++generation_;
  locks_.clear();
  stopped_ = false;
  fail_in_ = 0;
}

Result<std::shared_ptr<log::File>> MemoryFileSystem::open(const std::string& path, log::OpenMode mode) {
  if (stopped_) return refused("open", path, EIO);
  auto found = names_.find(path);
  if (found == names_.end()) {
    if (mode != log::OpenMode::create) return refused("open", path, ENOENT);
    const auto parent = names_.find(parent_of(path));
    if (parent == names_.end() || parent->second) return refused("open", path, ENOENT);
    KQ_TRY(begin("create", path));
    change({NameChange::Kind::add, path, {}, std::make_shared<MemoryInode>()});
    found = names_.find(path);
  }
  if (!found->second) return refused("open", path, EISDIR);
  return std::shared_ptr<log::File>(std::make_shared<MemoryFile>(*this, found->second, path));
}

bool MemoryFileSystem::exists(const std::string& path) { return !stopped_ && names_.count(path) > 0; }

Result<uint64_t> MemoryFileSystem::size(const std::string& path) {
  if (stopped_) return refused("stat", path, EIO);
  const auto found = names_.find(path);
  if (found == names_.end() || !found->second) return refused("stat", path, ENOENT);
  return uint64_t{found->second->bytes.size()};
}

Result<int64_t> MemoryFileSystem::modified_ms(const std::string& path) {
  if (stopped_) return refused("stat", path, EIO);
  const auto found = names_.find(path);
  if (found == names_.end() || !found->second) return refused("stat", path, ENOENT);
  return found->second->modified_ms;
}

Status MemoryFileSystem::set_modified_ms(const std::string& path, int64_t ms) {
  KQ_TRY(begin("utime", path));
  const auto found = names_.find(path);
  if (found == names_.end() || !found->second) return refused("utime", path, ENOENT);
  found->second->modified_ms = ms;
  return {};
}

Result<std::vector<log::DirectoryEntry>> MemoryFileSystem::list(const std::string& directory) {
  if (stopped_) return refused("list", directory, EIO);
  const auto found = names_.find(directory);
  if (found == names_.end() || found->second) return refused("list", directory, ENOENT);
  std::vector<log::DirectoryEntry> entries;
  for (auto each = names_.lower_bound(directory + "/"); each != names_.end() && below(each->first, directory); ++each)
    if (parent_of(each->first) == directory) entries.push_back({each->first.substr(directory.size() + 1), !each->second});
  return entries;
}

Status MemoryFileSystem::make_directory(const std::string& path) {
  if (path.empty() || path == "/" || path == "." || exists(path)) return {};
  KQ_TRY(make_directory(parent_of(path)));
  KQ_TRY(begin("mkdir", path));
  change({NameChange::Kind::add, path, {}, nullptr});
  return {};
}

Status MemoryFileSystem::rename(const std::string& from, const std::string& to) {
  KQ_TRY(begin("rename", from));
  if (!names_.count(from)) return refused("rename", from, ENOENT);
  change({NameChange::Kind::rename, from, to, nullptr});
  return {};
}

Status MemoryFileSystem::remove(const std::string& path) {
  KQ_TRY(begin("remove", path));
  if (names_.count(path)) change({NameChange::Kind::remove, path, {}, nullptr});
  return {};
}

Status MemoryFileSystem::remove_tree(const std::string& directory) { return remove(directory); }

Status MemoryFileSystem::sync_directory(const std::string& directory) {
  KQ_TRY(begin("sync directory", directory));
  std::vector<NameChange> left;
  for (NameChange& change : pending_) {
    if (touches(change, directory)) apply(lasting_names_, change);
    else left.push_back(std::move(change));
  }
  pending_ = std::move(left);
  return {};
}

Result<log::DiskSpace> MemoryFileSystem::space(const std::string&) {
  return log::DiskSpace{.total = capacity_, .usable = room()};
}

Result<std::unique_ptr<log::FileLock>> MemoryFileSystem::lock(const std::string& path) {
  if (stopped_) return refused("lock", path, EIO);
  if (!locks_.insert(path).second) return refused("lock", path, EWOULDBLOCK);
  return std::unique_ptr<log::FileLock>(std::make_unique<MemoryLock>(*this, path));
}

}  // namespace kq::sim
