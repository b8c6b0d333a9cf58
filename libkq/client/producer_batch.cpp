#include "libkq/client/producer_batch.hpp"

#include <algorithm>

namespace kq::client {

int64_t BatchNotes::timestamp(int32_t index) const {
  auto run = std::upper_bound(runs_.begin(), runs_.end(), index, [](int32_t i, const Run& r) { return i < r.first; });
  return run == runs_.begin() ? no_timestamp : std::prev(run)->timestamp;
}

bool ProducerBatch::grow(size_t bytes, size_t bytes_max) {
  const size_t wanted = std::min(std::max(bytes, 2 * block.bytes().size()), bytes_max);
  MemoryBlock bigger = memory->blocks.try_take(wanted);
  if (!bigger) return false;
  builder.move_to(bigger.bytes().first(std::min(bigger.bytes().size(), bytes_max)));
  block = std::move(bigger);
  return true;
}

// Compressed bytes go back into the batch's own block, so that compression takes no memory besides one scratch block.
Bytes ProducerBatch::seal(const BatchFields& fields, Codec codec, int level, Compressor& compressor, Block& scratch) {
  if (!sealed_.empty()) {
    if (fields.producer_id != sealed_fields_.producer_id || fields.producer_epoch != sealed_fields_.producer_epoch ||
        fields.base_sequence != sealed_fields_.base_sequence)
      set_producer(sealed_, fields.producer_id, fields.producer_epoch, fields.base_sequence);
    sealed_fields_ = fields;
    return sealed_;
  }
  sealed_fields_ = fields;
  if (codec != Codec::none) {
    const auto compressed = builder.seal(fields, codec, level, compressor, scratch);
    if (compressed && compressed->size() < builder.size()) {
      std::memcpy(block.bytes().data(), compressed->data(), compressed->size());
      return sealed_ = block.bytes().first(compressed->size());
    }
  }
  return sealed_ = block.bytes().first(builder.seal(fields).size());        // what does not shrink goes as it is
}

MutableBytes ProducerBatch::readable() {
  if (sealed_.empty()) sealed_ = block.bytes().first(builder.seal({}).size());
  return sealed_;
}

}  // namespace kq::client
