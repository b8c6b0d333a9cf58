// An encoded answer on its way out: bytes, and slices of files between them.
#pragma once

#include <optional>
#include <vector>

#include "broker/session.hpp"
#include "libkq/protocol/frame.hpp"

namespace kq::broker {

// Gives the pieces of `frame` in order: its bytes, and its splices, which are memory or one of `slices`.  Both are the caller's.
class Answer {
 public:
  struct Piece {
    Bytes bytes;                                  // empty where it is a file's
    const FileSlice* file = nullptr;
    uint64_t position = 0;                        // in the file, and
    size_t size = 0;                              // how much of it
  };

  Answer() = default;
  Answer(const Encoded& frame, const std::vector<FileSlice>& slices) : frame_(&frame), slices_(&slices) {}

  // The piece at the cursor and the cursor behind it; nothing at the end.
  std::optional<Piece> next();
  bool at_end() const { return frame_ == nullptr || (byte_ == frame_->bytes.size() && splice_ == frame_->splices.size()); }
  // Takes `sent` bytes, all of one piece or the front part of it, off the front.
  void advance(size_t sent);

 private:
  const Encoded* frame_ = nullptr;
  const std::vector<FileSlice>* slices_ = nullptr;
  size_t byte_ = 0;                               // in frame_->bytes
  size_t splice_ = 0;                             // the next one
  size_t within_ = 0;                             // bytes of that splice that are behind the cursor
};

}  // namespace kq::broker
