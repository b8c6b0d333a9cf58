// Real files.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "broker/log/file.hpp"

namespace kq::log {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { if (fd_ >= 0) ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  using File::write_at;
  int descriptor() const override { return fd_.get(); }
  Result<size_t> read_at(uint64_t position, MutableBytes into) const override;
  Status write_at(uint64_t position, std::span<const Bytes> pieces) override;
  Result<uint64_t> size() const override;
  Status truncate(uint64_t size) override;
  Status sync() override;
  void start_writeback(uint64_t from, uint64_t length) override;
  bool cached(uint64_t position, uint64_t length) const override;

 private:
  Error error(std::string_view what, int error_number) const { return file_error(what, path_, error_number); }

  Descriptor fd_;
  std::string path_;
};

Result<size_t> PosixFile::read_at(uint64_t position, MutableBytes into) const {
  size_t done = 0;
  while (done < into.size()) {
    const ssize_t got = ::pread(fd_.get(), into.data() + done, into.size() - done, static_cast<off_t>(position + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error("reading", errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

// The kernel takes it all at once unless the disk fills up or a signal comes; what it left is tried again, so that the reason shows.
Status PosixFile::write_at(uint64_t position, std::span<const Bytes> pieces) {
  constexpr size_t pieces_max = 64;
  iovec vector[pieces_max];
  size_t skip = 0;                              // bytes of the first piece that are written
  while (!pieces.empty()) {
    const size_t count = std::min(pieces.size(), pieces_max);
    for (size_t i = 0; i < count; ++i) {
      vector[i] = {const_cast<std::byte*>(pieces[i].data()), pieces[i].size()};
    }
    vector[0].iov_base = static_cast<char*>(vector[0].iov_base) + skip;
    vector[0].iov_len -= skip;
    const ssize_t written = ::pwritev(fd_.get(), vector, static_cast<int>(count), static_cast<off_t>(position));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return error("writing", errno);
    position += static_cast<uint64_t>(written);
    skip += static_cast<size_t>(written);
    while (!pieces.empty() && skip >= pieces.front().size()) {
      skip -= pieces.front().size();
      pieces = pieces.subspan(1);
    }
    if (written == 0 && !pieces.empty()) return error("writing", ENOSPC);
  }
  return {};
}

Result<uint64_t> PosixFile::size() const {
  struct stat status;
  if (::fstat(fd_.get(), &status) != 0) return error("asking the size of", errno);
  return static_cast<uint64_t>(status.st_size);
}

Status PosixFile::truncate(uint64_t size) {
  while (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) {
    if (errno != EINTR) return error("truncating", errno);
  }
  return {};
}

// Never told as a full disk, which could be tried again: whatever the reason, what was to be synced may be lost.
Status PosixFile::sync() {
  if (::fdatasync(fd_.get()) != 0) return system_error("syncing " + path_, errno);
  return {};
}

void PosixFile::start_writeback(uint64_t from, uint64_t length) {
  ::sync_file_range(fd_.get(), static_cast<off64_t>(from), static_cast<off64_t>(length), SYNC_FILE_RANGE_WRITE);
}

// A byte of every 128 KiB, the kernel's usual read-ahead, and the last one.  A file system that does not know RWF_NOWAIT counts as
// cached: there is no way to tell.
bool PosixFile::cached(uint64_t position, uint64_t length) const {
  constexpr uint64_t step = 128 << 10;
  const auto at_hand = [this](uint64_t at) {
    std::byte byte;
    iovec one{&byte, 1};
    const ssize_t got = ::preadv2(fd_.get(), &one, 1, static_cast<off_t>(at), RWF_NOWAIT);
    return got >= 0 || errno != EAGAIN;
  };
  if (length == 0) return true;
  for (uint64_t at = position; at < position + length; at += step) {
    if (!at_hand(at)) return false;
  }
  return at_hand(position + length - 1);
}

// Kafka locks with fcntl; a lock of the open file description collides with that, and within one process as well.
class PosixLock final : public FileLock {
 public:
  explicit PosixLock(int fd) : fd_(fd) {}

 private:
  Descriptor fd_;
};

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode) override;
  bool exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }
  Result<uint64_t> size(const std::string& path) override;
  Result<int64_t> modified_ms(const std::string& path) override;
  Status set_modified_ms(const std::string& path, int64_t ms) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& directory) override;
  Status make_directory(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status remove_tree(const std::string& directory) override;
  Status sync_directory(const std::string& directory) override;
  Result<DiskSpace> space(const std::string& directory) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
};

Result<std::shared_ptr<File>> PosixFileSystem::open(const std::string& path, OpenMode mode) {
  const int flags = O_CLOEXEC | (mode == OpenMode::read ? O_RDONLY : O_RDWR) | (mode == OpenMode::create ? O_CREAT : 0);
  const int fd = ::open(path.c_str(), flags, 0644);
  if (fd < 0) return file_error("opening", path, errno);
  return std::shared_ptr<File>(std::make_shared<PosixFile>(fd, path));
}

Result<uint64_t> PosixFileSystem::size(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return file_error("asking the size of", path, errno);
  return static_cast<uint64_t>(status.st_size);
}

Result<int64_t> PosixFileSystem::modified_ms(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return file_error("asking the age of", path, errno);
  return int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000;
}

Status PosixFileSystem::set_modified_ms(const std::string& path, int64_t ms) {
  const timespec at{.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1'000'000};
  const timespec both[] = {at, at};
  if (::utimensat(AT_FDCWD, path.c_str(), both, 0) != 0) return file_error("setting the age of", path, errno);
  return {};
}

Result<std::vector<DirectoryEntry>> PosixFileSystem::list(const std::string& directory) {
  DIR* stream = ::opendir(directory.c_str());
  if (!stream) return file_error("listing", directory, errno);
  std::vector<DirectoryEntry> entries;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool is_directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) {
      std::error_code ignored;
      is_directory = std::filesystem::is_directory(directory + "/" + entry->d_name, ignored);
    }
    entries.push_back({std::string(name), is_directory});
    errno = 0;
  }
  const int failed = errno;
  ::closedir(stream);
  if (failed != 0) return file_error("listing", directory, failed);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

Status PosixFileSystem::make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) return {};
    return file_error("making directory", path, ENOTDIR);
  }
  if (errno != ENOENT) return file_error("making directory", path, errno);
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) return file_error("making directory", path, failed.value());
  return {};
}

Status PosixFileSystem::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return file_error("renaming " + from + " to", to, errno);
  return {};
}

Status PosixFileSystem::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return file_error("removing", path, errno);
  return {};
}

Status PosixFileSystem::remove_tree(const std::string& directory) {
  std::error_code failed;
  std::filesystem::remove_all(directory, failed);
  if (failed) return file_error("removing", directory, failed.value());
  return {};
}

Status PosixFileSystem::sync_directory(const std::string& directory) {
  const Descriptor fd{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (fd.get() < 0) return file_error("opening", directory, errno);
  if (::fsync(fd.get()) != 0) return system_error("syncing " + directory, errno);
  return {};
}

Result<DiskSpace> PosixFileSystem::space(const std::string& directory) {
  struct statvfs status;
  if (::statvfs(directory.c_str(), &status) != 0) return file_error("asking the free space of", directory, errno);
  return DiskSpace{.total = static_cast<uint64_t>(status.f_blocks) * status.f_frsize,
                   .usable = static_cast<uint64_t>(status.f_bavail) * status.f_frsize};
}

Result<std::unique_ptr<FileLock>> PosixFileSystem::lock(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return file_error("opening", path, errno);
  auto held = std::make_unique<PosixLock>(fd);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &whole) == 0) return std::unique_ptr<FileLock>(std::move(held));
  if (errno != EAGAIN && errno != EACCES) return file_error("locking", path, errno);
  return Error{own_code::system, path + " is locked: another broker runs on this directory; stop it, or choose another directory"};
}

}  // namespace

FileSystem& real_file_system() {
  static PosixFileSystem files;
  return files;
}

}  // namespace kq::log
