#include "broker/answer.hpp"

#include <algorithm>

namespace kq::broker {

std::optional<Answer::Piece> Answer::next() {
  if (at_end()) return std::nullopt;
  Piece piece;
  if (splice_ < frame_->splices.size() && frame_->splices[splice_].at == byte_) {
    const Splice& splice = frame_->splices[splice_];
    if (splice.external_size > 0) {
      piece.file = &(*slices_)[splice.external_id];
      piece.position = piece.file->position + within_;
      piece.size = splice.external_size - within_;
    } else {
      piece.bytes = splice.bytes.subspan(within_);
    }
  } else {
    const size_t end = splice_ < frame_->splices.size() ? frame_->splices[splice_].at : frame_->bytes.size();
    piece.bytes = Bytes{frame_->bytes}.subspan(byte_, end - byte_);
  }
  if (!piece.file) piece.size = piece.bytes.size();
  advance(piece.size);
  return piece;
}

void Answer::advance(size_t sent) {
  if (splice_ < frame_->splices.size() && frame_->splices[splice_].at == byte_) {
    within_ += sent;
    if (within_ < frame_->splices[splice_].size()) return;
    ++splice_;
    within_ = 0;
  } else {
    byte_ += sent;
  }
}

}  // namespace kq::broker
