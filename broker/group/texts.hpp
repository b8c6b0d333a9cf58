// What an answer's views point to, when the state that they were taken from may change before the answer leaves.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libkq/base/bytes.hpp"

namespace kq::group {

class Texts {
 public:
  std::string_view keep(std::string_view text) { return texts_.emplace_back(text); }
  std::optional<std::string_view> keep_optional(const std::optional<std::string>& text) {
    if (!text) return std::nullopt;
    return keep(std::string_view(*text));
  }
  Bytes keep_bytes(std::string_view bytes) { return as_bytes(keep(bytes)); }

 private:
  std::deque<std::string> texts_;  // a deque never moves what it holds
};

template <class Response>
struct Answer {
  Response body;
  std::shared_ptr<Texts> texts = std::make_shared<Texts>();
};

}  // namespace kq::group
