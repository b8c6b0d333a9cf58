// Subscriptions by pattern.
#include <re2/re2.h>

#include "broker/group/consumer_coordinator.hpp"

namespace kq::group {

std::optional<std::set<std::string, std::less<>>> topics_matching(const cluster::Image& image, std::string_view regex,
                                                                  std::string& why_not) {
  RE2::Options options;
  options.set_log_errors(false);
  const RE2 pattern(re2::StringPiece(regex.data(), regex.size()), options);
  if (!pattern.ok()) {
    why_not = pattern.error();
    return std::nullopt;
  }
  std::set<std::string, std::less<>> topics;
  image.topics.for_each([&](const auto& name, const auto&) {
    if (RE2::FullMatch(name, pattern)) topics.insert(name);
  });
  return topics;
}

}  // namespace kq::group
