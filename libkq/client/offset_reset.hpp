// auto.offset.reset, and the names of assignors: values of the consumer's options that are more than a number or a choice.
#pragma once

#include <string_view>

#include "libkq/base/clock.hpp"
#include "libkq/base/result.hpp"
#include "libkq/client/assignors.hpp"

namespace kq::client {

struct OffsetReset {
  int64_t spec;      // an offset_spec; by_policy: none
  Duration back{0};  // of by_duration

  // "latest", "earliest", "none" (librdkafka's "largest", "smallest", "end", "beginning", "error" as well), or "by_duration:PT1H30M".
  static Result<OffsetReset> parse(std::string_view);
};

// As ISO 8601 writes it: "P2DT3H4M5.5S".
Result<Duration> parse_duration(std::string_view);

// By Kafka's name, or by that of the Java class.
std::optional<Assignor> configured_assignor(std::string_view name);

}  // namespace kq::client
