#include "libkq/base/properties.hpp"

namespace kq {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

class PropertiesReader {
 public:
  explicit PropertiesReader(std::string_view text) : left_(text) {}

  Result<std::vector<Property>> read() {
    std::vector<Property> properties;
    std::string line;
    while (logical_line(line)) {
      std::string key, value;
      size_t at = 0;
      KQ_TRY(unescape(line, at, true, key));
      while (at < line.size() && blank(line[at])) ++at;
      if (at < line.size() && (line[at] == '=' || line[at] == ':')) ++at;
      while (at < line.size() && blank(line[at])) ++at;
      KQ_TRY(unescape(line, at, false, value));
      if (!key.empty() || !value.empty()) properties.emplace_back(std::move(key), std::move(value));
    }
    return properties;
  }

 private:
  // Joins lines whose end is escaped; leaves out comments and empty lines.
  bool logical_line(std::string& line) {
    line.clear();
    while (!left_.empty()) {
      std::string_view natural = natural_line();
      while (!natural.empty() && blank(natural.front())) natural.remove_prefix(1);
      if (line.empty() && (natural.empty() || natural.front() == '#' || natural.front() == '!')) continue;
      const size_t text = natural.find_last_not_of('\\') + 1;            // of npos: 0
      const bool continues = (natural.size() - text) % 2 == 1;
      line += natural.substr(0, natural.size() - continues);
      if (!continues) return true;
    }
    return !line.empty();
  }

  std::string_view natural_line() {
    ++number_;
    const size_t end = left_.find_first_of("\r\n");
    const std::string_view line = left_.substr(0, end);
    left_.remove_prefix(end == left_.npos ? left_.size() : end + (left_.substr(end, 2) == "\r\n" ? 2 : 1));
    return line;
  }

  // Up to the end, or (of a key) to the first blank, = or : that is not escaped.
  Status unescape(std::string_view line, size_t& at, bool key, std::string& out) const {
    for (; at < line.size(); ++at) {
      const char c = line[at];
      if (key && (blank(c) || c == '=' || c == ':')) return {};
      if (c != '\\' || at + 1 == line.size()) {
        out += c;
        continue;
      }
      switch (const char escaped = line[++at]) {
        case 't': out += '\t'; break;
        case 'n': out += '\n'; break;
        case 'r': out += '\r'; break;
        case 'f': out += '\f'; break;
        case 'u': KQ_TRY(unicode(line, at, out)); break;
        default: out += escaped;
      }
    }
    return {};
  }

  // \uXXXX, and a pair of them above the basic plane, as UTF-8.  `at` stands on the u, then on the last digit.
  Status unicode(std::string_view line, size_t& at, std::string& out) const {
    uint32_t code = 0;
    if (!hex4(line, at + 1, code)) return malformed();
    at += 4;
    if (uint32_t low = 0; code >= 0xd800 && code < 0xdc00 && line.substr(at + 1, 2) == "\\u" && hex4(line, at + 3, low) && low >= 0xdc00 &&
                          low < 0xe000) {
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      at += 6;
    }
    const auto put = [&out](uint32_t byte) { out += static_cast<char>(byte); };
    const auto tail = [&](int shift) { put(0x80 | (code >> shift & 0x3f)); };
    if (code < 0x80) return put(code), Status{};
    if (code < 0x800) return put(0xc0 | code >> 6), tail(0), Status{};
    if (code < 0x10000) return put(0xe0 | code >> 12), tail(6), tail(0), Status{};
    return put(0xf0 | code >> 18), tail(12), tail(6), tail(0), Status{};
  }

  static bool hex4(std::string_view line, size_t at, uint32_t& code) {
    code = 0;
    for (size_t i = at; i < at + 4; ++i) {
      if (i >= line.size()) return false;
      const char c = line[i];
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (digit < 0) return false;
      code = code << 4 | static_cast<uint32_t>(digit);
    }
    return true;
  }

  Error malformed() const {
    return {own_code::config, "line " + std::to_string(number_) + ": \\u wants four hexadecimal digits"};
  }

  std::string_view left_;
  int number_ = 0;
};

}  // namespace

Result<std::vector<Property>> parse_properties(std::string_view text) { return PropertiesReader(text).read(); }

}  // namespace kq
