#include "tests/wire/vectors.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/vectors.hpp"

namespace kq {
namespace json = boost::json;

std::vector<std::byte> from_hex(std::string_view text) {
  std::vector<std::byte> bytes(text.size() / 2);
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
  return bytes;
}

std::string_view text_at(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return value->get_string();
}

std::vector<json::object> lines_of(const std::string& file) {
  std::ifstream in{vectors_path(file)};
  if (!in) throw std::runtime_error("no vectors at " + vectors_path(file));
  std::vector<json::object> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line).as_object());
  return lines;
}

static std::vector<Vector> load(const std::string& file, auto&& entry_of) {
  std::vector<Vector> out;
  for (json::object& line : lines_of(file)) {
    Vector& vector = out.emplace_back();
    vector.where = file + ":" + std::to_string(out.size());
    vector.entry = entry_of(line);
    vector.version = line.at("version").to_number<int16_t>();
    vector.bytes = from_hex(text_at(line, "hex"));
    vector.line = std::move(line);
  }
  return out;
}

// All files of a folder, in the order of their names; entry_of gets the name without its suffix as well.
static std::vector<Vector> load_folder(const std::string& folder, auto&& entry_of) {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(vectors_path(folder))) names.push_back(file.path().stem());
  std::sort(names.begin(), names.end());
  std::vector<Vector> out;
  for (const std::string& name : names) {
    auto part = load(folder + "/" + name + ".jsonl", [&](const json::object& line) { return entry_of(name, line); });
    std::move(part.begin(), part.end(), std::back_inserter(out));
  }
  return out;
}

static const Entry* api_entry(const std::string& name, const json::object& line) {
  return find_message(name, text_at(line, "type"));
}

const std::vector<Vector>& message_vectors() {
  static const std::vector<Vector> all = [] {
    std::vector<Vector> out = load_folder("messages", api_entry);
    const auto add = [&](std::vector<Vector> more) { std::move(more.begin(), more.end(), std::back_inserter(out)); };
    add(load_folder("records", [](const std::string&, const json::object& line) {
      return find_message(text_at(line, "record"), text_at(line, "part"));
    }));
    for (const char* file : {"headers.jsonl", "embedded.jsonl"})
      add(load(file, [](const json::object& line) { return find_message(text_at(line, "message"), "message"); }));
    return out;
  }();
  return all;
}

const std::vector<Vector>& frame_vectors() {
  static const std::vector<Vector> all = load_folder("frames", api_entry);
  return all;
}

bool same(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number() && (a.is_double() || b.is_double())) return a.to_number<double>() == b.to_number<double>();
  if (a.is_object() && b.is_object()) {
    const json::object &left = a.get_object(), &right = b.get_object();
    return left.size() == right.size() && std::all_of(left.begin(), left.end(), [&](const json::key_value_pair& member) {
             const json::value* other = right.if_contains(member.key());
             return other != nullptr && same(member.value(), *other);
           });
  }
  if (a.is_array() && b.is_array()) {
    const json::array &left = a.get_array(), &right = b.get_array();
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), same);
  }
  return a == b;
}

}  // namespace kq
