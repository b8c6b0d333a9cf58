// kq_error: an Error as the application has it, with the topic and partition that it is about.
#pragma once

#include <string>
#include <string_view>

#include "include/kq/kq.h"
#include "libkq/base/result.hpp"

struct kq_error {
  int32_t code = 0;
  kq_verdict verdict = KQ_OK;
  bool is_static = false;                  // freeing it does nothing
  std::string message{};
  std::string topic{};                     // empty: none in particular
  int32_t partition = -1;

  static kq_error of(const kq::Error& error, std::string_view topic = {}, int32_t partition = -1) {
    return {error.code(), static_cast<kq_verdict>(error.verdict()), false, error.message(), std::string(topic), partition};
  }
};
