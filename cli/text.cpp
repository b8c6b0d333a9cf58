#include "cli/text.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace kq::cli {
namespace {

constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

std::optional<int64_t> milliseconds_of_unit(char unit) {
  switch (unit) {
    case 's': return 1000;
    case 'm': return 60'000;
    case 'h': return 3'600'000;
    case 'd': return 86'400'000;
    case 'w': return 7 * int64_t{86'400'000};
    default: return std::nullopt;
  }
}

// ".123" after the seconds; moves `rest` past it.
int64_t parse_fraction(const char*& rest) {
  int64_t milliseconds = 0;
  if (*rest != '.') return 0;
  ++rest;
  for (int64_t weight = 100; *rest >= '0' && *rest <= '9'; ++rest, weight /= 10) milliseconds += weight * (*rest - '0');
  return milliseconds;
}

// A calendar date with or without time and zone.
std::optional<int64_t> parse_calendar(const std::string& text) {
  tm parts = {};
  const char* rest = nullptr;
  for (const char* form : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
    parts = {};
    rest = strptime(text.c_str(), form, &parts);
    if (rest) break;
  }
  if (!rest) return std::nullopt;
  const int64_t milliseconds = parse_fraction(rest);
  if (*rest == '\0') {
    parts.tm_isdst = -1;
    return mktime(&parts) * int64_t{1000} + milliseconds;
  }
  tm zone = {};
  const char* end = strptime(rest, "%z", &zone);
  if (!end || *end) return std::nullopt;
  return (timegm(&parts) - zone.tm_gmtoff) * int64_t{1000} + milliseconds;
}

}  // namespace

std::string grouped(int64_t number) {
  std::string digits = std::to_string(number);
  const size_t first = digits[0] == '-' ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string counted(uint64_t number, const char* noun) {
  return grouped(static_cast<int64_t>(number)) + " " + noun + (number == 1 ? "" : "s");
}

std::string rate(uint64_t records, double seconds) {
  return grouped(static_cast<int64_t>(static_cast<double>(records) / std::max(seconds, 1e-6))) + "/s";
}

std::string human_bytes(double bytes) {
  static constexpr std::array units = {"B", "kB", "MB", "GB", "TB", "PB"};
  size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < units.size()) bytes /= 1000, ++unit;
  return unit == 0 || bytes >= 99.5 ? fmt::format("{:.0f} {}", bytes, units[unit]) : fmt::format("{:.1f} {}", bytes, units[unit]);
}

std::string human_seconds(double seconds) {
  if (seconds < 10) return fmt::format("{:.2f} s", seconds);
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  const auto whole = static_cast<int64_t>(std::lround(seconds));
  return fmt::format("{} min {} s", whole / 60, whole % 60);
}

std::string iso_time(int64_t milliseconds) {
  int64_t seconds = milliseconds / 1000;
  int64_t rest = milliseconds % 1000;
  if (rest < 0) rest += 1000, --seconds;
  tm parts = {};
  const time_t time = seconds;
  gmtime_r(&time, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec, rest);
}

std::optional<int64_t> parse_time(std::string_view text, int64_t now_ms) {
  if (const auto milliseconds = whole_number(text)) return milliseconds;
  if (text.size() >= 2) {
    const auto unit = milliseconds_of_unit(text.back());
    const auto count = whole_number(text.substr(0, text.size() - 1));
    if (unit && count && *count >= 0) return now_ms - *count * *unit;
  }
  return parse_calendar(std::string(text));
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      out += text[at];
      continue;
    }
    if (++at == text.size()) return std::nullopt;
    switch (text[at]) {
      case 't': out += '\t'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case '0': out += '\0'; break;
      case '\\': out += '\\'; break;
      case 'x': {
        unsigned value = 0;
        const char* digits = text.data() + at + 1;
        if (at + 2 >= text.size() || std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2) return std::nullopt;
        out += static_cast<char>(value);
        at += 2;
        break;
      }
      default: return std::nullopt;
    }
  }
  return out;
}

bool valid_utf8(std::string_view bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const auto lead = static_cast<unsigned char>(bytes[at]);
    const size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (length == 0 || at + length > bytes.size()) return false;
    uint32_t point = length == 1 ? lead : lead & (0x7fu >> length);
    for (size_t i = 1; i < length; ++i) {
      const auto next = static_cast<unsigned char>(bytes[at + i]);
      if (next >> 6 != 2) return false;
      point = point << 6 | (next & 0x3f);
    }
    static constexpr uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
    at += length;
  }
  return true;
}

std::string base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i) group = group << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    for (size_t i = 0; i < 4; ++i) out += at + i > bytes.size() ? '=' : base64_digits[group >> (18 - 6 * i) & 63];
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  uint32_t group = 0;
  int bits = 0;
  for (const char digit : text) {
    const size_t value = base64_digits.find(digit);
    if (value == std::string_view::npos) return std::nullopt;
    group = group << 6 | static_cast<uint32_t>(value);
    bits += 6;
    if (bits >= 8) out += static_cast<char>(group >> (bits -= 8) & 0xff);
  }
  return out;
}

}  // namespace kq::cli
