// What the Fetcher makes of answers, and of trouble.
#include <algorithm>

#include "libkq/client/fetcher_state.hpp"
#include "libkq/record/batch.hpp"

namespace kq::client {

// ---- answers ------------------------------------------------------------------------------------------------------------------

void Fetcher::on(const FetchAnswered& event) {
  Node& node = node_of(event.node);
  const FetchResponse& response = event.response;
  node.fetching = false;
  node.reserved_bytes = 0;
  if (response.throttle_time_ms > 0) node.retry_at = now_ + std::chrono::milliseconds(response.throttle_time_ms);
  const Code code = response.error_code;
  if (code != Code::none) {
    node.session.lost();
    const bool session_alone = code == Code::fetch_session_id_not_found || code == Code::invalid_fetch_session_epoch ||
                               code == Code::fetch_session_topic_id_error;
    if (!session_alone || ++node.failures > 1) node.retry_at = now_ + options_.backoff.after(std::max(1, node.failures), random_);
    return;
  }
  node.failures = 0;
  for (const auto& topic : response.responses) {
    for (const auto& data : topic.partitions) {
      Partition* partition = nullptr;
      if (topic.topic_id.is_zero()) {
        partition = find(topic.topic, data.partition_index);
      } else if (const auto found = by_topic_id_.find({topic.topic_id, data.partition_index}); found != by_topic_id_.end()) {
        partition = found->second;
      }
      if (partition) answered(node, *partition, data, event.held);
    }
  }
  if (options_.report_end) report_ends(node);
  node.session.answered(response.session_id);
}

void Fetcher::answered(Node& node, Partition& partition, const FetchResponse::PartitionData& data, const Held& held) {
  const FetchSpot* asked = node.session.asked(partition.id);
  const bool still_wanted = asked && partition.state == Partition::State::fetching && asked->offset == partition.fetch_offset;
  if (!still_wanted || (node.id != partition.leader && node.id != partition.replica)) return;
  const auto code = data.error_code;
  if (code != Code::none && node.id == partition.replica) return back_to_leader(partition, code);
  if (code != Code::none) return trouble(partition, code);
  if (data.diverging_epoch.end_offset >= 0) return truncated(partition, data.diverging_epoch.end_offset, data.diverging_epoch.epoch);
  partition.failures = 0;
  partition.end_offset = options_.isolation_level == 1 ? data.last_stable_offset : data.high_watermark;
  if (data.records && !data.records->bytes.empty()) take_records(partition, data, held);
  if (data.preferred_read_replica >= 0 && data.preferred_read_replica != partition.leader) {
    partition.replica = data.preferred_read_replica;
    partition.replica_until = now_ + options_.replica_age;
  }
  update(partition);
}

// A follower's trouble is no verdict about the partition: its leader is asked.
void Fetcher::back_to_leader(Partition& partition, Code code) {
  partition.replica = -1;
  if (code != Code::offset_out_of_range && remedy_of(code) == Remedy::refresh) wants_metadata_ = true;
  update(partition);
}

// What was read up to there has been lost with the leader that had it, and others stand in its place.
void Fetcher::truncated(Partition& partition, int64_t end, int32_t epoch) {
  const int64_t to = std::min(end, partition.fetch_offset);
  if (options_.reset == offset_spec::by_policy) {
    return rest(partition, Error(static_cast<int32_t>(Code::offset_out_of_range),
                                 partition.text() + " was truncated at offset " + std::to_string(to) + " by a change of its leader, and you have read up to " +
                                     std::to_string(partition.fetch_offset) + ": seek to where you want to go on"));
  }
  place(partition, to);
  partition.last_epoch = epoch;
  update(partition);
}

void Fetcher::take_records(Partition& partition, const FetchResponse::PartitionData& data, const Held& held) {
  const Bytes all = data.records->bytes;
  Bytes rest_of_all = all;
  int64_t next = partition.fetch_offset;
  Step step;
  int32_t last_epoch = partition.last_epoch;
  for (BatchView batch; (step = next_batch(rest_of_all, batch)) == Step::batch;) {
    if (batch.next_offset() > next) last_epoch = batch.leader_epoch();
    next = std::max(next, batch.next_offset());
  }
  const Bytes whole = all.first(all.size() - rest_of_all.size());
  if (whole.empty() || next == partition.fetch_offset) {
    if (step == Step::corrupt) {
      rest(partition, Error(static_cast<int32_t>(Code::corrupt_message), partition.text() + " at offset " +
                                std::to_string(partition.fetch_offset) + ": what the broker sent is no record batch"));
    } else {
      back_off(partition);                           // a batch that does not fit: no broker sends that
    }
    return;
  }
  Slice slice{.serial = next_serial_++, .partition_id = partition.id, .generation = partition.generation, .topic = partition.topic,
              .partition = partition.index, .held = held, .records = whole, .waiting_bytes = whole.size(),
              .position = partition.fetch_offset, .end_offset = partition.end_offset};
  if (options_.isolation_level == 1 && data.aborted_transactions) {
    for (const auto& transaction : *data.aborted_transactions) slice.aborted.push_back({transaction.producer_id, transaction.first_offset});
    std::ranges::sort(slice.aborted, {}, &Aborted::first_offset);
  }
  partition.waiting_bytes += slice.waiting_bytes;
  partition.fetch_offset = next;
  partition.last_epoch = last_epoch;
  push(partition, std::move(slice));
}

void Fetcher::report_ends(Node& node) {
  node.session.each_asked([&](uint64_t id, const FetchSpot& spot) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return;
    Partition& partition = *found->second;
    if (partition.state == Partition::State::fetching && (partition.leader == node.id || partition.replica == node.id) && spot.offset <= partition.fetch_offset)
      report_end(partition);
  });
}

void Fetcher::report_end(Partition& partition) {
  if (partition.fetch_offset != partition.end_offset || partition.end_reported == partition.end_offset) return;
  partition.end_reported = partition.end_offset;
  push(partition, EndOfPartition{partition.topic, partition.index, partition.end_offset});
}

void Fetcher::on(const OffsetsAnswered& event) {
  Node& node = node_of(event.node);
  node.listing = false;
  const auto listed = std::exchange(node.listed, {});
  for (const PartitionPtr& partition : listed) {
    if (!std::exchange(partition->asked, false)) continue;           // placed elsewhere meanwhile
    const ListOffsetsResponse::ListOffsetsPartitionResponse* answer = nullptr;
    for (const auto& topic : event.response.topics)
      if (topic.name == *partition->topic)
        for (const auto& one : topic.partitions)
          if (one.partition_index == partition->index) answer = &one;
    const auto code = answer ? answer->error_code : Code::unknown_server_error;
    if (code == Code::none && answer->offset < 0 && partition->spec == offset_spec::by_duration) {
      resolve(*partition, offset_spec::latest);  // nothing is that new
      continue;
    }
    if (code != Code::none || answer->offset < 0) {
      trouble(*partition, code == Code::none ? Code::offset_not_available : code);
      continue;
    }
    begin(*partition, answer->offset);
  }
}

// ---- committed offsets --------------------------------------------------------------------------------------------------------

std::vector<GroupOffset> Fetcher::fill_committed() {
  std::vector<GroupOffset> offsets;
  wants_committed_ = false;
  for (const auto& [name, partition] : assigned_) {
    if (partition->state != Partition::State::awaiting || partition->asked) continue;
    partition->asked = true;
    offsets.push_back({.at = {*partition->topic, partition->index}});
  }
  asking_committed_ = !offsets.empty();
  return offsets;
}

void Fetcher::on(const CommittedAnswered& event) {
  asking_committed_ = false;
  committed_failures_ = 0;
  for (const GroupOffset& each : event.offsets) {
    Partition* partition = find(each.at.topic, each.at.partition);
    if (!partition || partition->state != Partition::State::awaiting || !std::exchange(partition->asked, false)) continue;
    // Of a transaction that is still being ended, as a rule.
    if (each.error && each.error->verdict() == Verdict::retry)
      wants_committed_ = true;
    else if (each.error)
      rest(*partition, *each.error);
    else if (each.offset >= 0)
      begin(*partition, each.offset);
    else
      resolve(*partition, offset_spec::by_policy);
  }
  if (wants_committed_) committed_retry_at_ = now_ + options_.backoff.after(++committed_failures_, random_);
}

void Fetcher::on(const CommittedFailed& event) {
  asking_committed_ = false;
  const bool again = event.error.verdict() == Verdict::retry;
  if (again) committed_retry_at_ = now_ + options_.backoff.after(++committed_failures_, random_);
  for (const auto& [name, partition] : assigned_) {
    if (partition->state != Partition::State::awaiting || !std::exchange(partition->asked, false)) continue;
    if (again)
      wants_committed_ = true;
    else
      rest(*partition, event.error);
  }
}

// ---- trouble ------------------------------------------------------------------------------------------------------------------

void Fetcher::trouble(Partition& partition, Code code) {
  if (code == Code::offset_out_of_range) return out_of_range(partition);
  const Remedy remedy = code == Code::unknown_server_error ? Remedy::retry : code == Code::corrupt_message ? Remedy::none : remedy_of(code);
  if (remedy == Remedy::none) {
    return rest(partition, Error(static_cast<int32_t>(code),
                                 partition.text() + " cannot be read: " + name_of(code) + ", " + meaning_of(code)));
  }
  if (remedy == Remedy::refresh) wants_metadata_ = true;
  back_off(partition);
}

void Fetcher::out_of_range(Partition& partition) {
  if (options_.reset != offset_spec::by_policy) return resolve(partition, options_.reset);
  rest(partition, Error(static_cast<int32_t>(Code::offset_out_of_range),
                        partition.text() + " has no offset " + std::to_string(partition.fetch_offset) +
                            " (any more), and auto.offset.reset is none: seek to another"));
}

void Fetcher::resolve(Partition& partition, int64_t spec) {
  if (spec == offset_spec::by_policy) spec = options_.reset;
  if (spec == offset_spec::by_policy) {
    return rest(partition, Error(static_cast<int32_t>(Code::offset_out_of_range),
                                 partition.text() + " has no position, and auto.offset.reset is none: assign it with an offset"));
  }
  partition.state = Partition::State::resolving;
  partition.spec = spec;
  partition.asked = false;
  if (partition.leader >= 0) node_of(partition.leader).ask_offsets = true;
  update(partition);
}

void Fetcher::rest(Partition& partition, Error error) {
  partition.state = Partition::State::resting;
  update(partition);
  push(partition, PartitionFailure{partition.topic, partition.index, std::move(error)});
}

void Fetcher::back_off(Partition& partition) {
  if (!partition.retry_at) backing_off_.push_back(&partition);
  partition.retry_at = now_ + options_.backoff.after(++partition.failures, random_);
  update(partition);
}

void Fetcher::wake_backed_off() {
  std::erase_if(backing_off_, [&](Partition* partition) {
    if (*partition->retry_at > now_) return false;
    partition->retry_at.reset();
    if (partition->leader < 0 || partition->missing_since) wants_metadata_ = true;
    else if (partition->state == Partition::State::resolving) node_of(partition->leader).ask_offsets = true;
    update(*partition);
    return true;
  });
}

int32_t Fetcher::source(const Partition& partition) const {
  return partition.replica >= 0 && now_ < partition.replica_until ? partition.replica : partition.leader;
}

bool Fetcher::fetchable(const Partition& partition) const {
  return partition.state == Partition::State::fetching && partition.leader >= 0 && !partition.paused && !partition.retry_at &&
         partition.waiting_bytes < static_cast<size_t>(options_.partition_bytes_max) / 2 + 1;
}

void Fetcher::update(Partition& partition) {
  const int32_t node = fetchable(partition) ? source(partition) : -1;
  if (partition.session_node >= 0 && partition.session_node != node) node_of(partition.session_node).session.forget(partition.id);
  partition.session_node = node;
  if (node < 0) return;
  node_of(node).session.want(partition.id, {partition.topic, partition.topic_id, partition.index, partition.fetch_offset,
                                            partition.leader_epoch, partition.last_epoch});
}

}  // namespace kq::client
