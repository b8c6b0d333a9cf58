// Arrays of structs that begin with their size, as the caller compiled them.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "libkq/api/guard.hpp"

namespace kq::api {

// The element as the caller laid it out: elements lie as far apart as the first one is large.
template <class T>
T* array_at(T* array, size_t index) {
  using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;
  return reinterpret_cast<T*>(reinterpret_cast<Byte*>(array) + index * array->size);
}

// Copies: what the caller's version lacks has its default, what it has beyond ours is not looked at.
template <class T>
Result<std::vector<T>> read_array(const T* array, size_t count, const T& defaults) {
  constexpr size_t size_min = 2 * sizeof(void*);
  if (count > 0 && !array) return null_argument("the array");
  if (count > 0 && array->size < size_min) return Error(own_code::argument, "a struct's size is not set: begin it with its _INIT");
  std::vector<T> copies(count, defaults);
  for (size_t i = 0; i < count; ++i) {
    std::memcpy(static_cast<void*>(&copies[i]), array_at(array, i), std::min(sizeof(T), array->size));
    copies[i].size = sizeof(T);
  }
  return copies;
}

}  // namespace kq::api
