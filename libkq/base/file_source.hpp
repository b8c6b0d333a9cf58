// Bytes that lie in a file and may go to a Stream without passing through the process.
#pragma once

#include "libkq/base/bytes.hpp"
#include "libkq/base/result.hpp"

namespace kq {

class FileSource {
 public:
  virtual ~FileSource() = default;
  // For sendfile(2); -1 where there is none (a file in the simulator's memory): then read_at is used.
  virtual int descriptor() const = 0;
  // Reads at `position`.  Fewer bytes than asked for: the file ends there.
  virtual Result<size_t> read_at(uint64_t position, MutableBytes into) const = 0;
};

}  // namespace kq
