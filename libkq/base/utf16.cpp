#include "libkq/base/utf16.hpp"

#include <cstdint>

namespace kq {
namespace {

constexpr char32_t replacement = 0xFFFD;

// The code point at the front, taken off; a byte that begins none is taken alone.
char32_t next_code_point(std::string_view& text) {
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(text[at]); };
  const uint8_t first = byte(0);
  size_t size = 1;
  char32_t point = first, least = 0;
  if (first >= 0xF0 && first < 0xF5)
    size = 4, point = first & 0x07, least = 0x10000;
  else if (first >= 0xE0 && first < 0xF0)
    size = 3, point = first & 0x0F, least = 0x800;
  else if (first >= 0xC2 && first < 0xE0)
    size = 2, point = first & 0x1F, least = 0x80;
  else if (first >= 0x80)
    point = replacement;
  bool whole = size <= text.size();
  for (size_t i = 1; whole && i < size; ++i) {
    whole = (byte(i) & 0xC0) == 0x80;
    point = point << 6 | (byte(i) & 0x3F);
  }
  if (size > 1 && (!whole || point < least || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)))
    size = 1, point = replacement;
  text.remove_prefix(size);
  return point;
}

}  // namespace

std::u16string utf16(std::string_view utf8) {
  std::u16string units;
  units.reserve(utf8.size());
  while (!utf8.empty()) {
    const char32_t point = next_code_point(utf8);
    if (point < 0x10000) {
      units.push_back(static_cast<char16_t>(point));
    } else {
      units.push_back(static_cast<char16_t>(0xD800 + ((point - 0x10000) >> 10)));
      units.push_back(static_cast<char16_t>(0xDC00 + ((point - 0x10000) & 0x3FF)));
    }
  }
  return units;
}

}  // namespace kq
