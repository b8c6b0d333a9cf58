#include "libkq/client/fetch_session.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

namespace kq::client {
namespace {

void sort_by_topic(std::vector<FetchSpot>& spots) {
  std::sort(spots.begin(), spots.end(), [](const FetchSpot& a, const FetchSpot& b) {
    return std::tie(*a.topic, a.topic_id, a.partition) < std::tie(*b.topic, b.topic_id, b.partition);
  });
}

// The entry of the spot's topic, which is the last one if there is one.
template <class Topic>
Topic& entry_of(std::vector<Topic>& topics, const FetchSpot& spot) {
  if (topics.empty() || topics.back().topic != *spot.topic || topics.back().topic_id != spot.topic_id) {
    Topic& topic = topics.emplace_back();
    topic.topic = *spot.topic;
    topic.topic_id = spot.topic_id;
  }
  return topics.back();
}

FetchRequest::FetchPartition asking(const FetchSpot& spot, int32_t partition_bytes_max) {
  FetchRequest::FetchPartition partition;
  partition.partition = spot.partition;
  partition.current_leader_epoch = spot.leader_epoch;
  partition.fetch_offset = spot.offset;
  partition.last_fetched_epoch = spot.last_epoch;
  partition.partition_max_bytes = partition_bytes_max;
  return partition;
}

}  // namespace

void FetchSession::want(Key key, const FetchSpot& spot) {
  wanted_[key] = spot;
  changed_.insert(key);
}

void FetchSession::forget(Key key) {
  if (wanted_.erase(key) > 0) changed_.insert(key);
}

const FetchSpot* FetchSession::asked(Key key) const {
  const auto found = asked_.find(key);
  return found != asked_.end() ? &found->second : nullptr;
}

void FetchSession::fill(FetchRequest& request, int32_t partition_bytes_max) {
  request.session_id = id_;
  request.session_epoch = epoch_;
  added_.clear(), forgotten_.clear();
  if (full()) {
    asked_ = wanted_;
    for (const auto& [key, spot] : asked_) added_.push_back(spot);
  } else {
    for (const Key key : changed_) apply(key);
  }
  changed_.clear();
  sort_by_topic(added_), sort_by_topic(forgotten_);
  for (const FetchSpot& spot : added_) entry_of(request.topics, spot).partitions.push_back(asking(spot, partition_bytes_max));
  for (const FetchSpot& spot : forgotten_) entry_of(request.forgotten_topics_data, spot).partitions.push_back(spot.partition);
}

void FetchSession::apply(Key key) {
  const auto wanted = wanted_.find(key);
  const auto asked = asked_.find(key);
  if (wanted == wanted_.end()) {
    if (asked == asked_.end()) return;
    forgotten_.push_back(asked->second);
    asked_.erase(asked);
    return;
  }
  if (asked != asked_.end()) {
    if (asked->second.same_as(wanted->second)) return;
    // A topic that was deleted and made again is another one under its name.
    if (asked->second.topic_id != wanted->second.topic_id) forgotten_.push_back(asked->second);
  }
  asked_[key] = wanted->second;
  added_.push_back(wanted->second);
}

void FetchSession::answered(int32_t session_id) {
  if (full()) {
    id_ = session_id;
    epoch_ = session_id != 0 ? 1 : 0;              // 0: the broker has no room for sessions; every request is a full one
    return;
  }
  epoch_ = epoch_ == std::numeric_limits<int32_t>::max() ? 1 : epoch_ + 1;
}

void FetchSession::lost() {
  id_ = 0;
  epoch_ = 0;
}

}  // namespace kq::client
