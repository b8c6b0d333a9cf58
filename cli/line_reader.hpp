// Lines of files or of the standard input, as views into one buffer.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kq::cli {

// Reads the named files one after another ("-" and no name at all: the standard input).  One thread.
class LineReader {
 public:
  static constexpr size_t line_bytes_max = size_t{64} << 20;

  // A line ends with `separator`, which is not empty.
  explicit LineReader(std::vector<std::string> paths, std::string separator = "\n");
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // The next line without its separator, valid until the next call; nothing at the end.  Throws Failure where a file cannot be
  // read. A line that is not there yet is read by `fill`.
  std::optional<std::string_view> next();
  // True when next() would have to read: then the caller may wait for the descriptor first.
  bool must_read() const { return !whole_line_buffered() && !at_end_; }
  int descriptor() const { return fd_; }
  // Gives up the rest: next() answers with nothing.
  void stop();

  size_t bytes_total() const { return bytes_total_; }  // of all files; 0: not known (a pipe)
  size_t bytes_read() const { return bytes_read_; }
  // Where the latest line stood, for messages: "file.txt:12".
  std::string place() const;

 private:
  const void* find_separator() const;
  bool whole_line_buffered() const { return find_separator() != nullptr; }
  bool open_next();
  void fill();
  void measure();

  const std::string separator_;
  std::vector<std::string> paths_;
  size_t path_ = 0;  // the next one to open
  int fd_ = -1;
  bool at_end_ = false;
  std::string buffer_;
  size_t begin_ = 0;    // of what was not handed out yet
  size_t end_ = 0;      // of what was read
  size_t scanned_ = 0;  // no whole separator between begin_ and here
  size_t bytes_total_ = 0, bytes_read_ = 0, line_ = 0;
};

}  // namespace kq::cli
