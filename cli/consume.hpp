// What the ways of `kq consume` have in common: partitions read by hand (consume.cpp), as a member of a group (consume_group.cpp), and of
// a share group (consume_share.cpp).
#pragma once

#include <optional>

#include "cli/command.hpp"
#include "cli/progress.hpp"
#include "cli/record_format.hpp"

namespace kq::cli {

struct ConsumeOptions {
  std::vector<std::string> topics;
  std::string group, share;  // empty: none
  std::vector<int32_t> partitions;
  bool from_beginning = false, until_end = false, read_committed = false;
  std::optional<int64_t> offset;
  std::string from_time, format = "%v\\n", null_text;
  uint64_t count = 0;  // 0: no end
};

// Records on their way to the standard output.
class RecordPrinter {
 public:
  RecordPrinter(const Common& common, const ConsumeOptions& options);
  void add(const kq_record& record);
  void write_out(bool at_once);  // at_once: nothing stays in the stream's buffer either
  bool full() const { return out_.size() >= bytes_held_max; }
  uint64_t records() const { return records_; }
  void show_progress() { progress_.update(records_, bytes_); }
  void finish(const std::string& what, bool tell);

 private:
  static constexpr size_t bytes_held_max = 256 << 10;

  const Common& common_;
  const RecordFormat format_;
  std::string out_;
  uint64_t records_ = 0, bytes_ = 0;
  Progress progress_;
};

int consume_as_member(const Common& common, const ConsumeOptions& options);
int consume_shared(const Common& common, const ConsumeOptions& options);

}  // namespace kq::cli
