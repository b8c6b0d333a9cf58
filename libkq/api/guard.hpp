// Where C++ ends: every body of the C interface runs in here, and no exception leaves it.
#pragma once

#include <exception>
#include <new>

#include "libkq/api/error.hpp"

namespace kq::api {

// For what only allocates.
template <class Body>
kq_error* or_no_memory(const Body& body) noexcept {
  try {
    return body();
  } catch (...) {
    return no_memory_error();
  }
}

// Runs a body that answers with a Status, or with a kq_error* of its own.  bad_alloc becomes a static error; anything else is a
// fault in kq, KQ_ERR_INTERNAL, which `failed` may keep: a handle turns fatal by it.
template <class Body, class Failed>
kq_error* guard(const Body& body, const Failed& failed) noexcept {
  try {
    try {
      auto result = body();
      if constexpr (std::is_convertible_v<decltype(result), kq_error*>) return result;
      else return result.ok() ? nullptr : make_error(result.error());
    } catch (const std::bad_alloc&) {
      return no_memory_error();
    } catch (const std::exception& fault) {
      const Error error(own_code::internal, std::string("a fault in kq: ") + fault.what() + "; please report it", Verdict::fatal);
      failed(error);
      return make_error(error);
    }
  } catch (...) {
    return no_memory_error();
  }
}

template <class Body>
kq_error* guard(const Body& body) noexcept {
  return guard(body, [](const Error&) {});
}

inline Error null_argument(const char* name) {
  return Error(own_code::argument, std::string(name) + " is NULL", Verdict::refused);
}

}  // namespace kq::api

#define KQ_API_ARGUMENT(pointer)                                \
  do {                                                          \
    if (!(pointer)) return ::kq::api::null_argument(#pointer);  \
  } while (0)
