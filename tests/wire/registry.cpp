#include "tests/wire/registry.hpp"

#include <algorithm>

namespace kq {

#define KQ_PART(n) extern const std::span<const Entry> registry_part_##n;
KQ_REGISTRY_PARTS(KQ_PART)
#undef KQ_PART

std::span<const Entry> all_messages() {
  static const std::vector<Entry> all = [] {
    std::vector<Entry> entries;
#define KQ_PART(n) entries.insert(entries.end(), registry_part_##n.begin(), registry_part_##n.end());
    KQ_REGISTRY_PARTS(KQ_PART)
#undef KQ_PART
    return entries;
  }();
  return all;
}

static const Entry* find(auto&& wanted) {
  const auto all = all_messages();
  const auto at = std::find_if(all.begin(), all.end(), wanted);
  return at == all.end() ? nullptr : &*at;
}

const Entry* find_message(std::string_view name, std::string_view kind) {
  return find([&](const Entry& entry) { return entry.name == name && entry.kind == kind; });
}

const Entry* find_api(int16_t key, std::string_view kind) {
  return find([&](const Entry& entry) { return entry.number == key && entry.kind == kind; });
}

}  // namespace kq
