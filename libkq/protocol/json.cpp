#include "libkq/protocol/json.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace kq {
namespace {

// The length of the UTF-8 sequence at the front of `text`; 0 where there is none (RFC 3629: no overlong form, no surrogate).
size_t utf8_sequence(std::string_view text) {
  const auto at = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](size_t i) { return (at(i) & 0xc0) == 0x80; };
  const unsigned lead = at(0), next = at(1);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4 || !tail(1)) return 0;
  if (lead < 0xe0) return 2;
  if ((lead == 0xe0 && next < 0xa0) || (lead == 0xed && next > 0x9f) || !tail(2)) return 0;
  if (lead < 0xf0) return 3;
  if ((lead == 0xf0 && next < 0x90) || (lead == 0xf4 && next > 0x8f) || !tail(3)) return 0;
  return 4;
}

constexpr char hex_digits[] = "0123456789abcdef";

}  // namespace

void JsonPrinter::comma() {
  if (to_.back() != '{' && to_.back() != '[') to_ += ',';
}

void JsonPrinter::print_name(const char* name) {
  comma();
  print(std::string_view{name});
  to_ += ':';
}

void JsonPrinter::tags(const UnknownTags& unknown) {
  if (!flexible || unknown.empty()) return;
  print_name("_tags");
  to_ += '{';
  for (const UnknownTag& tag : unknown) print_name(std::to_string(tag.tag).c_str()), print(tag.value);
  to_ += '}';
}

void JsonPrinter::print(int64_t field) { to_ += std::to_string(field); }

void JsonPrinter::print(const Uuid& field) { print(std::string_view{field.text()}); }

void JsonPrinter::print(std::string_view field) {
  to_ += '"';
  while (!field.empty()) {
    const size_t size = utf8_sequence(field);
    const auto c = static_cast<unsigned char>(field.front());
    if (size == 0) to_ += "\\ufffd";
    else if (c == '"' || c == '\\') (to_ += '\\') += field.front();
    else if (c < 0x20 || c == 0x7f) ((to_ += "\\u00") += hex_digits[c >> 4]) += hex_digits[c & 15];
    else to_ += field.substr(0, size);
    field.remove_prefix(size == 0 ? 1 : size);
  }
  to_ += '"';
}

void JsonPrinter::print(Bytes field) {
  to_ += '"';
  for (const std::byte b : field) {
    to_ += hex_digits[static_cast<unsigned>(b) >> 4];
    to_ += hex_digits[static_cast<unsigned>(b) & 15];
  }
  to_ += '"';
}

void JsonPrinter::print(const Records& field) {
  if (field.external_size == 0) return print(field.bytes);
  print(std::string_view{"(" + std::to_string(field.external_size) + " bytes from elsewhere)"});
}

void JsonPrinter::print(double field) {
  if (!std::isfinite(field)) return print(std::string_view{std::isnan(field) ? "NaN" : field > 0 ? "Infinity" : "-Infinity"});
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), field).ptr;
  to_.append(digits.data(), end);
}

}  // namespace kq
