// A record as a line of JSON, the same one way and the other:
//
//   {"topic":"t","partition":0,"offset":7,"timestamp":1714557600123,"key":"k","value":"v","headers":[{"key":"a","value":"b"}]}
//
// Bytes that are no UTF-8 stand under the same name with _base64 ("value_base64":"/w=="); null is null.
#pragma once

#include <kq/kq.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kq::cli {

// Appends the line of a received record, line feed included.
void append_json(std::string& out, const kq_record& record);

// What a line asks to send.  Owns its bytes; `record()` points into it.
class JsonRecord {
 public:
  // Topic, partition, key, value, headers and timestamp are taken; other fields (offset, ...) are left alone, so what `consume`
  // wrote can be sent again.  Returns what is wrong with the line, or an empty string.
  std::string parse(std::string_view line);

  std::optional<int32_t> partition;
  std::optional<int64_t> timestamp_ms;
  std::optional<std::string> topic, key, value;

  // Valid until the next parse.
  const std::vector<kq_header>& headers();

 private:
  struct Header {
    std::string key;
    std::optional<std::string> value;
  };
  std::vector<Header> owned_headers_;
  std::vector<kq_header> headers_;
};

}  // namespace kq::cli
