#include "cli/record_json.hpp"

#include <boost/json.hpp>

#include "cli/text.hpp"

namespace kq::cli {
namespace {

namespace json = boost::json;

void append_field(std::string& out, const char* name, const void* data, size_t length) {
  out += '"';
  out += name;
  if (!data) {
    out += "\":null";
    return;
  }
  const std::string_view bytes(static_cast<const char*>(data), length);
  if (valid_utf8(bytes)) {
    out += "\":";
    out += json::serialize(json::string_view(bytes.data(), bytes.size()));
  } else {
    out += "_base64\":\"" + base64(bytes) + '"';
  }
}

std::optional<std::string> text_of(const json::value& value) {
  if (const json::string* text = value.if_string()) return std::string(*text);
  return std::nullopt;
}

// Takes `name` or `name`_base64 of an object.  Returns what is wrong.
std::string take(const json::object& object, const std::string& name, std::optional<std::string>& out) {
  out.reset();
  if (const json::value* plain = object.if_contains(name); plain && !plain->is_null()) {
    out = text_of(*plain);
    if (!out) return "\"" + name + "\" is neither a string nor null";
  } else if (const json::value* encoded = object.if_contains(name + "_base64"); encoded && !encoded->is_null()) {
    const auto digits = text_of(*encoded);
    if (digits) out = from_base64(*digits);
    if (!out) return "\"" + name + "_base64\" is not base64";
  }
  return "";
}

template <class Number>
std::string take_number(const json::object& object, const char* name, std::optional<Number>& out) {
  out.reset();
  const json::value* value = object.if_contains(name);
  if (!value || value->is_null()) return "";
  json::error_code error;
  const auto number = value->to_number<Number>(error);
  if (error) return std::string("\"") + name + "\" is not a whole number";
  out = number;
  return "";
}

}  // namespace

void append_json(std::string& out, const kq_record& record) {
  out += "{\"topic\":" + json::serialize(json::string_view(record.topic)) + ",\"partition\":" + std::to_string(record.partition) +
         ",\"offset\":" + std::to_string(record.offset) + ",\"timestamp\":" + std::to_string(record.timestamp_ms) + ',';
  append_field(out, "key", record.key, record.key_len);
  out += ',';
  append_field(out, "value", record.value, record.value_len);
  out += ",\"headers\":[";
  for (size_t i = 0; i < record.header_count; ++i) {
    const kq_header& header = record.headers[i];
    out += i ? ",{" : "{";
    append_field(out, "key", header.key, header.key_len);
    out += ',';
    append_field(out, "value", header.value, header.value_len);
    out += '}';
  }
  out += "]}\n";
}

std::string JsonRecord::parse(std::string_view line) {
  json::error_code error;
  const json::value parsed = json::parse(json::string_view(line.data(), line.size()), error);
  if (error) return "not JSON: " + error.message();
  const json::object* object = parsed.if_object();
  if (!object) return "not a JSON object";
  for (std::string wrong : {take(*object, "topic", topic), take(*object, "key", key), take(*object, "value", value),
                            take_number(*object, "partition", partition), take_number(*object, "timestamp", timestamp_ms)})
    if (!wrong.empty()) return wrong;
  owned_headers_.clear();
  const json::value* headers = object->if_contains("headers");
  if (!headers || headers->is_null()) return "";
  if (!headers->is_array()) return "\"headers\" is no array of {\"key\", \"value\"}";
  for (const json::value& element : headers->get_array()) {
    const json::object* pair = element.if_object();
    std::optional<std::string> name;
    Header header;
    if (!pair || !take(*pair, "key", name).empty() || !name || !take(*pair, "value", header.value).empty())
      return "a header is no object with a \"key\" and a \"value\"";
    header.key = std::move(*name);
    owned_headers_.push_back(std::move(header));
  }
  return "";
}

const std::vector<kq_header>& JsonRecord::headers() {
  headers_.clear();
  for (const Header& header : owned_headers_)
    headers_.push_back({.key = header.key.data(),
                        .key_len = header.key.size(),
                        .value = header.value ? header.value->data() : nullptr,
                        .value_len = header.value ? header.value->size() : 0});
  return headers_;
}

}  // namespace kq::cli
