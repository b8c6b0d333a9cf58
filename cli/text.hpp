// Numbers, sizes and times as people write and read them; bytes as JSON can carry them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kq::cli {

std::string grouped(int64_t number);                     // 1,234,567
std::string counted(uint64_t number, const char* noun);  // 1 record, 1,234 records
std::string rate(uint64_t records, double seconds);      // 274,950/s
std::string human_bytes(double bytes);                   // 1.2 MB (powers of 1000)
std::string human_seconds(double seconds);               // 0.34 s, 12 s, 3 min 20 s
std::string iso_time(int64_t milliseconds);              // 2024-05-01T10:00:00.123Z

// "2024-05-01", "2024-05-01T10:00:00" (local time), "...Z", "...+02:00", milliseconds since 1970, or how long ago: "15m", "2h",
// "1d".
std::optional<int64_t> parse_time(std::string_view text, int64_t now_ms);

// "\t", "\n", "\0", "\x1f", "\\" in what a user typed.  Nothing where an escape is unknown.
std::optional<std::string> unescape(std::string_view text);

bool valid_utf8(std::string_view bytes);
std::string base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

}  // namespace kq::cli
