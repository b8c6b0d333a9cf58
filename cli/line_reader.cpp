#include "cli/line_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/handles.hpp"

namespace kq::cli {
namespace {
constexpr size_t read_bytes = 256 << 10;
}

LineReader::LineReader(std::vector<std::string> paths, std::string separator)
    : separator_(std::move(separator)), paths_(std::move(paths)), buffer_(read_bytes, '\0') {
  if (paths_.empty()) paths_.push_back("-");
  measure();
  open_next();
}

LineReader::~LineReader() { stop(); }

void LineReader::stop() {
  if (fd_ > STDIN_FILENO) close(fd_);
  fd_ = -1;
  at_end_ = true;
  begin_ = end_ = scanned_ = 0;
}

void LineReader::measure() {
  for (const std::string& path : paths_) {
    struct stat status = {};
    const int failed = path == "-" ? fstat(STDIN_FILENO, &status) : stat(path.c_str(), &status);
    if (failed != 0) throw Failure{exit_io, path + " cannot be read: " + strerror(errno)};
    if (!S_ISREG(status.st_mode)) {
      bytes_total_ = 0;
      return;
    }
    bytes_total_ += static_cast<size_t>(status.st_size);
  }
}

bool LineReader::open_next() {
  if (fd_ > STDIN_FILENO) close(fd_);
  fd_ = -1;
  if (path_ == paths_.size()) {
    at_end_ = true;
    return false;
  }
  const std::string& path = paths_[path_++];
  fd_ = path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) throw Failure{exit_io, path + " cannot be opened: " + strerror(errno)};
  line_ = 0;
  return true;
}

const void* LineReader::find_separator() const {
  return memmem(buffer_.data() + scanned_, end_ - scanned_, separator_.data(), separator_.size());
}

void LineReader::fill() {
  if (begin_ > 0) {
    memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    scanned_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() - end_ <= separator_.size()) {
    if (end_ >= line_bytes_max) throw Failure{exit_io, place() + ": a line longer than 64 MiB; is this text?"};
    buffer_.resize(buffer_.size() * 2);
  }
  const ssize_t got = read(fd_, buffer_.data() + end_, buffer_.size() - end_ - separator_.size());
  if (got < 0 && errno == EINTR) return;
  if (got < 0) throw Failure{exit_io, place() + " cannot be read: " + strerror(errno)};
  if (got > 0) {
    end_ += static_cast<size_t>(got);
    bytes_read_ += static_cast<size_t>(got);
  } else if (begin_ < end_) {
    memcpy(buffer_.data() + end_, separator_.data(), separator_.size());  // a file's last line counts without one; fill() leaves room for it
    end_ += separator_.size();
  } else {
    open_next();
  }
}

std::optional<std::string_view> LineReader::next() {
  for (;;) {
    const char* from = buffer_.data() + begin_;
    const void* feed = find_separator();
    if (feed) {
      const auto length = static_cast<size_t>(static_cast<const char*>(feed) - from);
      begin_ += length + separator_.size();
      scanned_ = begin_;
      ++line_;
      return std::string_view(from, length);
    }
    scanned_ = std::max(begin_, end_ - std::min(end_, separator_.size() - 1));  // half a separator may stand at the end
    if (at_end_) return std::nullopt;
    fill();
  }
}

std::string LineReader::place() const {
  const std::string name = path_ == 0 || paths_[path_ - 1] == "-" ? "standard input" : paths_[path_ - 1];
  return name + ":" + std::to_string(line_);
}

}  // namespace kq::cli
