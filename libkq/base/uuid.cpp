#include "libkq/base/uuid.hpp"

#include "libkq/base/random.hpp"

namespace kq {
namespace {
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr size_t text_length = 22;
constexpr uint64_t reserved_count = 100;
}  // namespace

std::string Uuid::text() const {
  std::string out;
  out.reserve(text_length + 2);
  for (size_t i = 0; i < 18; i += 3) {
    const auto at = [&](size_t k) { return k < 16 ? std::to_integer<uint32_t>(bytes[k]) : 0u; };
    const uint32_t group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) out += alphabet[(group >> shift) & 63];
  }
  out.resize(text_length);
  return out;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != text_length) return std::nullopt;
  Uuid id;
  uint32_t bits = 0;
  int held = 0;
  size_t next = 0;
  for (const char c : text) {
    const auto digit = alphabet.find(c);
    if (digit == alphabet.npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    held += 6;
    if (held >= 8 && next < id.bytes.size()) {
      held -= 8;
      id.bytes[next++] = static_cast<std::byte>(bits >> held & 0xff);
    }
  }
  return id;
}

Uuid Uuid::random() {
  for (;;) {
    Uuid id;
    system_random(id.bytes);
    id.bytes[6] = (id.bytes[6] & std::byte{0x0f}) | std::byte{0x40};
    id.bytes[8] = (id.bytes[8] & std::byte{0x3f}) | std::byte{0x80};
    const bool reserved = load_be<uint64_t>(id.bytes.data()) == 0 && load_be<uint64_t>(id.bytes.data() + 8) < reserved_count;
    if (!reserved && id.text().front() != '-') return id;
  }
}

}  // namespace kq
