#include "broker/share/state.hpp"

#include <algorithm>
#include <map>

namespace kq::share {
namespace {

// Intervals by their first offset, without overlap.
using Map = std::map<int64_t, StateBatch>;

// Makes `offset` the first of an interval, where one goes across it.
void cut(Map& map, int64_t offset) {
  auto after = map.upper_bound(offset);
  if (after == map.begin()) return;
  StateBatch& before = std::prev(after)->second;
  if (before.first == offset || before.last < offset) return;
  StateBatch rest = before;
  before.last = offset - 1;
  rest.first = offset;
  map.emplace_hint(after, offset, rest);
}

bool holds_over(const StateBatch& a, const StateBatch& b) {
  return a.delivery_count != b.delivery_count ? a.delivery_count > b.delivery_count : a.state > b.state;
}

void lay(Map& map, StateBatch batch) {
  if (batch.first > batch.last) return;
  cut(map, batch.first);
  if (batch.last != INT64_MAX) cut(map, batch.last + 1);
  auto at = map.lower_bound(batch.first);
  while (batch.first <= batch.last) {
    if (at == map.end() || at->first > batch.last) {
      map.emplace_hint(at, batch.first, batch);
      return;
    }
    if (at->first > batch.first) {
      StateBatch gap = batch;
      gap.last = at->first - 1;
      map.emplace_hint(at, gap.first, gap);
    }
    StateBatch& there = at->second;
    if (holds_over(batch, there)) there.state = batch.state, there.delivery_count = batch.delivery_count;
    if (there.last == INT64_MAX) return;
    batch.first = there.last + 1;
    ++at;
  }
}

}  // namespace

StateBatches combine(const StateBatches& known, const StateBatches& news, int64_t start) {
  Map map;
  for (const StateBatch& batch : known) lay(map, batch);
  for (const StateBatch& batch : news) lay(map, batch);
  StateBatches combined;
  for (auto& [first, batch] : map) {
    if (batch.last < start) continue;
    batch.first = std::max(batch.first, start);
    StateBatch* last = combined.empty() ? nullptr : &combined.back();
    const bool goes_on =
        last && last->last + 1 == batch.first && last->state == batch.state && last->delivery_count == batch.delivery_count;
    if (goes_on)
      last->last = batch.last;
    else
      combined.push_back(batch);
  }
  return combined;
}

}  // namespace kq::share
