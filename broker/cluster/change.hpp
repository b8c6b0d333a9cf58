// A change of the metadata in the making: records, and the image as it will be with them.
#pragma once

#include <string>
#include <vector>

#include "broker/cluster/image.hpp"
#include "broker/cluster/record_versions.hpp"
#include "libkq/protocol/codes.hpp"
#include "libkq/protocol/record_frame.hpp"

namespace kq::cluster {

// Why something cannot be done: a code for the client, a sentence for the person.
struct Fault {
  Code code = Code::none;
  std::string message;
};

// Belongs to one thread.  A record that is added has taken effect in image(): the next decision sees it.
class Change {
 public:
  explicit Change(std::shared_ptr<const Image> base) : draft_(std::move(base)) {}

  const Image& image() const { return draft_.image(); }
  RecordVersions versions() const { return RecordVersions(image().feature(metadata_version_feature)); }
  const std::vector<std::vector<std::byte>>& records() const { return records_; }
  bool empty() const { return records_.empty(); }

  // What does not fit the image is a fault of kq's own, found here and not in the log.
  template <class Record>
  void add(const Record& record, int16_t version = 0) {
    std::vector<std::byte> bytes;
    KQ_CHECK(write_metadata_record(record, version, bytes));
    KQ_CHECK(draft_.replay(bytes).ok());
    records_.push_back(std::move(bytes));
  }
  // A record that was encoded elsewhere.
  Status add_encoded(Bytes record) {
    KQ_TRY(draft_.replay(record));
    records_.emplace_back(record.begin(), record.end());
    return {};
  }

  std::pair<std::shared_ptr<const Image>, Delta> finish(int64_t offset, int32_t epoch) { return draft_.finish(offset, epoch); }

 private:
  Draft draft_;
  std::vector<std::vector<std::byte>> records_;
};

}  // namespace kq::cluster
