// Where the bytes are that Kafka itself wrote: tests/vectors.tar.zst (its README tells the form), unpacked by the build, or the
// directory that KQ_VECTORS names.  A test that includes this depends on `vectors` in its meson.build.
#pragma once

#include <cstdlib>
#include <string>

#include "tests/vectors_dir.hpp"

inline std::string vectors_path(const std::string& file) {
  const char* other = std::getenv("KQ_VECTORS");
  return (other != nullptr && *other != '\0' ? std::string{other} : std::string{vectors_built_dir}) + "/" + file;
}
