// Any message of the schema from any bytes.  The first three bytes choose message and version.
#include <cstdlib>

#include "tests/wire/registry.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kq;
  if (size < 3) return 0;
  const auto all = all_messages();
  const Entry& entry = all[(data[0] | data[1] << 8) % all.size()];
  const auto version = static_cast<int16_t>(entry.oldest + data[2] % (entry.newest - entry.oldest + 1));
  const Walked walked = entry.walk(std::as_bytes(std::span{data + 3, size - 3}), version);
  if (!walked.ok) return 0;
  if (!walked.written || walked.size != walked.bytes.size() || walked.gathered != walked.bytes) std::abort();
  const Walked again = entry.walk(walked.bytes, version);
  if (!again.ok || again.left != 0 || again.bytes != walked.bytes || again.json != walked.json) std::abort();
  return 0;
}
