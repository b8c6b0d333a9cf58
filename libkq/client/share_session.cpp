#include "libkq/client/share_session.hpp"

#include <algorithm>

namespace kq::client {
namespace {

// The entry of a partition in a list by topic; parts come in order.
template <class Topics>
auto& partition_in(Topics& topics, const SharePart& part) {
  if (topics.empty() || topics.back().topic_id != part.first) topics.emplace_back().topic_id = part.first;
  auto& partition = topics.back().partitions.emplace_back();
  partition.partition_index = part.second;
  return partition;
}

template <class Batches>
void add(Batches& batches, const Runs<ShareAck>& runs) {
  for (const auto& [first, run] : runs) {
    auto& batch = batches.emplace_back();
    batch.first_offset = first;
    batch.last_offset = run.last;
    batch.acknowledge_types.push_back(run.value.type);
  }
}

}  // namespace

void ShareSession::fill(ShareFetchRequest& request, const std::set<SharePart>& wanted, const ShareAcks& acks) {
  request.share_session_epoch = epoch_;
  last_ = false;
  asked_ = wanted;
  std::set<SharePart> told;
  std::ranges::set_difference(wanted, parts_, std::inserter(told, told.end()));
  for (const auto& [part, runs] : acks) told.insert(part);
  for (const SharePart& part : told) {
    auto& partition = partition_in(request.topics, part);
    if (const auto runs = acks.find(part); runs != acks.end()) add(partition.acknowledgement_batches, runs->second);
  }
  for (const auto& [topic, index] : parts_) {
    if (wanted.contains({topic, index})) continue;
    auto& forgotten = request.forgotten_topics_data;
    if (forgotten.empty() || forgotten.back().topic_id != topic) forgotten.emplace_back().topic_id = topic;
    forgotten.back().partitions.push_back(index);
  }
}

void ShareSession::fill(ShareAcknowledgeRequest& request, const ShareAcks& acks, bool last) {
  request.share_session_epoch = last ? final_epoch : epoch_;
  last_ = last;
  asked_ = parts_;
  for (const auto& [part, runs] : acks) add(partition_in(request.topics, part).acknowledgement_batches, runs);
}

void ShareSession::answered() {
  if (last_) return lost();
  parts_ = asked_;
  epoch_ = epoch_ == INT32_MAX ? 1 : epoch_ + 1;
}

void ShareSession::lost() {
  epoch_ = 0;
  parts_.clear();
}

}  // namespace kq::client
