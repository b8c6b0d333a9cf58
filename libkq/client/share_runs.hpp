// Runs of offsets that are spoken of alike: what a share consumer holds, and what it says of it.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>

namespace kq::client {

// Disjoint runs [first, last], each with a value; neighbours with the same value are one run.
template <class Value>
class Runs {
 public:
  struct Run {
    int64_t last;
    Value value;
  };

  bool empty() const { return runs_.empty(); }
  size_t size() const { return runs_.size(); }
  void clear() { runs_.clear(); }
  auto begin() const { return runs_.begin(); }
  auto end() const { return runs_.end(); }

  const Value* find(int64_t offset) const {
    auto after = runs_.upper_bound(offset);
    if (after == runs_.begin()) return nullptr;
    const auto& run = std::prev(after)->second;
    return offset <= run.last ? &run.value : nullptr;
  }

  // Takes what lies within [first, last] out, and calls `call(first, last, value)` for each piece.
  template <class Call>
  void cut(int64_t first, int64_t last, const Call& call) {
    auto at = runs_.lower_bound(first);
    if (at != runs_.begin() && std::prev(at)->second.last >= first) --at;
    while (at != runs_.end() && at->first <= last) {
      const int64_t from = at->first;
      const Run run = at->second;
      at = runs_.erase(at);
      if (from < first) runs_.emplace(from, Run{first - 1, run.value});
      if (run.last > last) runs_.emplace(last + 1, Run{run.last, run.value});
      call(from < first ? first : from, run.last > last ? last : run.last, run.value);
    }
  }
  void cut(int64_t first, int64_t last) {
    cut(first, last, [](int64_t, int64_t, const Value&) {});
  }

  // In place of what was there.
  void put(int64_t first, int64_t last, const Value& value) {
    if (last < first) return;
    cut(first, last);
    auto after = runs_.lower_bound(first);
    if (after != runs_.end() && after->first == last + 1 && after->second.value == value) {
      last = after->second.last;
      after = runs_.erase(after);
    }
    if (after != runs_.begin() && std::prev(after)->second.last == first - 1 && std::prev(after)->second.value == value)
      std::prev(after)->second.last = last;
    else
      runs_.emplace_hint(after, first, Run{last, value});
  }

  template <class Call>
  void each_value(const Call& call) {
    for (auto& [first, run] : runs_) call(run.value);
  }

 private:
  std::map<int64_t, Run> runs_;
};

}  // namespace kq::client
