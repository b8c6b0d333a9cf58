// From Error to kq_error, which the caller owns.
#pragma once

#include "libkq/client/error.hpp"

namespace kq::api {

inline kq_error* make_error(const Error& error, std::string_view topic = {}, int32_t partition = -1) {
  return new kq_error(kq_error::of(error, topic, partition));
}
// The one for which nothing has to be allocated.
kq_error* no_memory_error() noexcept;

}  // namespace kq::api
