#include "tests/unit/record/vectors.hpp"

#include <boost/json/src.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "libkq/record/batch_builder.hpp"
#include "libkq/record/crc32c.hpp"
#include "tests/vectors.hpp"

namespace kq::test {
namespace json = boost::json;

Memory from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  Memory bytes(hex.size() / 2);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
  return bytes;
}

std::string to_hex(Bytes bytes) {
  std::string hex;
  for (const std::byte byte : bytes) {
    hex += "0123456789abcdef"[static_cast<size_t>(byte) >> 4];
    hex += "0123456789abcdef"[static_cast<size_t>(byte) & 15];
  }
  return hex;
}

std::vector<json::object> vectors(const std::string& file) {
  const std::string path = vectors_path(file);
  std::ifstream stream(path);
  std::vector<json::object> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line).as_object());
  if (lines.empty()) {
    std::fprintf(stderr, "%s is missing or empty\n", path.c_str());
    std::exit(1);
  }
  return lines;
}

json::value shown(Bytes bytes) {
  if (bytes.data() == nullptr) return nullptr;
  if (bytes.size() <= 256) return json::value(to_hex(bytes));
  return json::object{{"len", bytes.size()}, {"crc32c", crc32c(bytes)}};
}

static json::value shown_type(const BatchView& batch) {
  if (batch.magic() == 0) return "NoTimestampType";
  return batch.timestamp_type() == TimestampType::log_append ? "LogAppendTime" : "CreateTime";
}

static json::object shown_header(const BatchView& batch) {
  json::object out{{"base_offset", batch.base_offset()},
                   {"last_offset", batch.last_offset()},
                   {"magic", batch.magic()},
                   {"size", batch.size()},
                   {"crc", batch.crc()},
                   {"codec", codec_name(batch.codec())},
                   {"timestamp_type", shown_type(batch)},
                   {"max_timestamp", batch.max_timestamp()}};
  if (batch.legacy()) return out;
  out["partition_leader_epoch"] = batch.leader_epoch();
  out["base_timestamp"] = batch.base_timestamp();
  out["producer_id"] = batch.producer_id();
  out["producer_epoch"] = batch.producer_epoch();
  out["base_sequence"] = batch.base_sequence();
  if (batch.base_sequence() >= no_sequence) out["last_sequence"] = batch.last_sequence();
  out["transactional"] = batch.transactional();
  out["control"] = batch.control();
  out["count"] = batch.count();
  if (batch.has_delete_horizon()) out["delete_horizon_ms"] = batch.delete_horizon_ms();
  return out;
}

static json::value shown_control(Bytes key) {
  constexpr const char* names[] = {"ABORT",           "COMMIT",        "LEADER_CHANGE", "SNAPSHOT_HEADER",
                                   "SNAPSHOT_FOOTER", "KRAFT_VERSION", "KRAFT_VOTERS"};
  const int16_t type = control_type(key);
  return type >= 0 && type < 7 ? names[type] : "UNKNOWN";
}

static json::object shown_record(const BatchView& batch, const RecordView& record) {
  json::object out{{"offset", record.offset}};
  if (batch.magic() > 0) out["timestamp"] = record.timestamp;
  if (batch.base_sequence() >= 0)
    out["sequence"] = sequence_plus(batch.base_sequence(), static_cast<int32_t>(record.offset - batch.base_offset()));
  out["key"] = shown(record.key);
  out["value"] = shown(record.value);
  if (!record.headers.empty()) {
    json::array headers;
    for (const RecordHeader& header : record.headers)
      headers.push_back(json::array{json::value(std::string(header.key)), shown(header.value)});
    out["headers"] = std::move(headers);
  }
  if (batch.control()) out["control_type"] = shown_control(record.key);
  return out;
}

Found read_all(Bytes records, const ReadOptions& options) {
  Found found;
  BatchReader reader(options);
  Block block;
  Step step;
  for (BatchView batch; (step = next_batch(records, batch)) == Step::batch;) {
    json::object out = shown_header(batch);
    json::array list;
    if (Status opened = reader.open(batch, block); !opened) return {{}, opened.error().code()};
    for (RecordView record; reader.next(record);) list.push_back(shown_record(batch, record));
    if (Status read = reader.status(); !read) return {{}, read.error().code()};
    // The wrapper of format 1 does not know where its set begins; its first record does.
    if (batch.legacy() && !list.empty()) out["base_offset"] = list.front().as_object().at("offset");
    out["records"] = std::move(list);
    found.batches.push_back(std::move(out));
  }
  if (step == Step::corrupt) found.error = record_code::corrupt_message;
  return found;
}

}  // namespace kq::test
