// Deadlines of groups and members, by name.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "libkq/base/clock.hpp"

namespace kq::group {

enum class TimerKind : uint8_t { session, join, sync, rebalance, first_assignment, expire_offsets, topic_deleted, topics_changed };

struct TimerKey {
  TimerKind kind{};
  std::string group;   // or, of topic_deleted, the topic
  std::string member;  // empty: the group's own

  bool operator==(const TimerKey&) const = default;
};

// A deadline that moves back costs a look-up: its place in the order is corrected when it comes up.
class Timers {
 public:
  void set(TimerKey key, Instant deadline) {
    auto [at, is_new] = timers_.try_emplace(std::move(key));
    Entry& entry = at->second;
    entry.deadline = deadline;
    if (!is_new && entry.queued->first <= deadline) return;
    if (!is_new) queue_.erase(entry.queued);
    entry.queued = queue_.emplace(deadline, &at->first);
  }
  void cancel(const TimerKey& key) {
    const auto at = timers_.find(key);
    if (at == timers_.end()) return;
    queue_.erase(at->second.queued);
    timers_.erase(at);
  }
  bool armed(const TimerKey& key) const { return timers_.contains(key); }
  // No later than the first deadline.
  std::optional<Instant> next() const {
    if (queue_.empty()) return std::nullopt;
    return queue_.begin()->first;
  }
  // Takes one that has come.
  std::optional<TimerKey> take(Instant now) {
    while (!queue_.empty() && queue_.begin()->first <= now) {
      const auto at = timers_.find(*queue_.begin()->second);
      Entry& entry = at->second;
      queue_.erase(queue_.begin());
      if (entry.deadline > now) {
        entry.queued = queue_.emplace(entry.deadline, &at->first);
        continue;
      }
      TimerKey key = at->first;
      timers_.erase(at);
      return key;
    }
    return std::nullopt;
  }
  size_t size() const { return timers_.size(); }

 private:
  using Queue = std::multimap<Instant, const TimerKey*>;  // no later than the deadlines
  struct Entry {
    Instant deadline{};
    Queue::iterator queued{};
  };
  struct Hash {
    size_t operator()(const TimerKey& key) const {
      const std::hash<std::string> of;
      return (of(key.group) * 31 + of(key.member)) * 31 + static_cast<size_t>(key.kind);
    }
  };

  std::unordered_map<TimerKey, Entry, Hash> timers_;  // its keys stay where they are
  Queue queue_;
};

}  // namespace kq::group
