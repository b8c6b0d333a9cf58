#include "libkq/client/offset_reset.hpp"

#include <charconv>
#include <cmath>

#include "libkq/client/fetcher.hpp"

namespace kq::client {
namespace {

Error bad(std::string_view value) {
  return {own_code::config, "auto.offset.reset=" + std::string(value) +
                                ": one of latest, earliest, none, or by_duration: and a time as in PT24H or P7D is needed"};
}

// A number and the letter after it; false: there is none.
bool take_number(std::string_view& text, double& number, char& unit) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (failure != std::errc{} || number < 0 || end == text.data() + text.size()) return false;
  unit = *end;
  text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  return true;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  constexpr double seconds_max = 1e9;
  const Error not_one(own_code::config, "'" + std::string(text) + "' is no duration; they look like PT15M, PT24H or P7D");
  if (text.size() < 3 || (text[0] != 'P' && text[0] != 'p')) return not_one;
  text.remove_prefix(1);
  bool in_time = false, any = false;
  double seconds = 0;
  while (!text.empty()) {
    if (!in_time && (text.front() == 'T' || text.front() == 't')) {
      in_time = true, any = false;
      text.remove_prefix(1);
      continue;
    }
    double number = 0;
    char unit = 0;
    if (!take_number(text, number, unit)) return not_one;
    any = true;
    switch (unit | 0x20) {
      case 'd':
        if (in_time) return not_one;
        seconds += number * 86400;
        break;
      case 'h':
        if (!in_time) return not_one;
        seconds += number * 3600;
        break;
      case 'm':
        if (!in_time) return not_one;
        seconds += number * 60;
        break;
      case 's':
        if (!in_time) return not_one;
        seconds += number;
        break;
      default: return not_one;
    }
  }
  if (!any || seconds > seconds_max) return not_one;
  return Duration(std::chrono::milliseconds(std::llround(seconds * 1000)));
}

Result<OffsetReset> OffsetReset::parse(std::string_view text) {
  constexpr std::string_view duration = "by_duration:";
  const auto is = [&](auto... names) { return ((text == names) || ...); };
  if (is("latest", "largest", "end")) return OffsetReset{offset_spec::latest};
  if (is("earliest", "smallest", "beginning")) return OffsetReset{offset_spec::earliest};
  if (is("none", "error")) return OffsetReset{offset_spec::by_policy};
  if (!text.starts_with(duration)) return bad(text);
  const auto back = parse_duration(text.substr(duration.size()));
  if (!back) return bad(text);
  return OffsetReset{offset_spec::by_duration, *back};
}

std::optional<Assignor> configured_assignor(std::string_view name) {
  constexpr std::string_view java = "org.apache.kafka.clients.consumer.";
  if (!name.starts_with(java)) return find_assignor(name);
  name.remove_prefix(java.size());
  if (name == "RangeAssignor") return Assignor::range;
  if (name == "RoundRobinAssignor") return Assignor::roundrobin;
  if (name == "StickyAssignor") return Assignor::sticky;
  if (name == "CooperativeStickyAssignor") return Assignor::cooperative_sticky;
  return std::nullopt;
}

}  // namespace kq::client
