// What the ShareFetcher makes of answers, and of trouble.
#include <algorithm>

#include "libkq/client/share_fetcher_state.hpp"

namespace kq::client {
namespace {

bool ends_session(Code code) { return code == Code::share_session_not_found || code == Code::invalid_share_session_epoch; }

}  // namespace

Error share_detail::refusal(const std::string& what, Code code, std::string_view said) {
  std::string text = what + ": " + name_of(code) + ", " + meaning_of(code);
  if (!said.empty() && said != name_of(code)) text += " (" + std::string(said) + ")";
  return {static_cast<int32_t>(code), std::move(text), remedy_of(code) == Remedy::none ? Verdict::refused : Verdict::retry};
}

using share_detail::refusal;

// ---- answers ------------------------------------------------------------------------------------------------------------------

void ShareFetcher::on(const Metadata& event) {
  for (const Leader& leader : event.leaders) {
    Part* const part = find(leader.topic, leader.partition);
    if (!part || leader.leader_epoch < part->leader_epoch) continue;
    if (leader.leader == part->leader && leader.topic_id == part->id) continue;
    if (part->placed >= 0) node_of(part->placed).wanted.erase(part->key());
    part->placed = -1;
    part->id = leader.topic_id;
    part->leader = leader.leader;
    part->leader_epoch = leader.leader_epoch;
    by_id_[part->key()] = part;
    place(*part);
  }
}

// What every answer tells of the session.  False: it refuses the request as a whole.
template <class Response>
bool ShareFetcher::accepted(Node& node, const Response& response) {
  if (response.error_code != Code::none) return refused(node, response.error_code, response.error_message.value_or("")), false;
  node.session.answered();
  node.failures = 0;
  if (response.throttle_time_ms > 0) node.retry_at = now_ + std::chrono::milliseconds(response.throttle_time_ms);
  if (response.acquisition_lock_timeout_ms > 0) lock_timeout_ms_ = response.acquisition_lock_timeout_ms;
  return true;
}

void ShareFetcher::on(const Fetched& event) {
  Node& node = node_of(event.node);
  if (!node.fetching) return;
  node.busy = node.fetching = false;
  const ShareFetchResponse& response = event.response;
  if (!accepted(node, response)) return;
  for (const auto& topic : response.responses) {
    for (const auto& data : topic.partitions) {
      const SharePart key{topic.topic_id, data.partition_index};
      Part* const part = find(key);
      if (!part) continue;
      std::optional<Error> error;
      if (data.acknowledge_error_code != Code::none)
        error = refusal(part->name(), data.acknowledge_error_code, data.acknowledge_error_message.value_or(""));
      settle(node, key, error);
      if (data.error_code == Code::none) {
        part->failures = 0;
        part->told.reset();
        take_records(node, *part, data, event.held);
      } else if (data.current_leader.leader_id >= 0 && data.current_leader.leader_epoch > part->leader_epoch) {
        const Leader leader{*part->topic, part->index, data.current_leader.leader_id, data.current_leader.leader_epoch, part->id};
        on(Metadata{{&leader, 1}});
        wants_metadata_ = true;
      } else {
        trouble(*part, data.error_code, data.error_message.value_or(""));
      }
    }
  }
  settle_all(node, std::nullopt);
}

void ShareFetcher::take_records(Node& node, Part& part, const ShareFetchResponse::PartitionData& data, const Held& held) {
  ShareSlice slice{.slice = {}, .part = part.key(), .acquired = {}};
  for (const auto& run : data.acquired_records) {
    if (run.first_offset < 0 || run.last_offset < run.first_offset) continue;
    if (!slice.acquired.empty() && run.first_offset <= slice.acquired.back().last) continue;
    slice.acquired.push_back({run.first_offset, run.last_offset, run.delivery_count});
    part.held.put(run.first_offset, run.last_offset, {node.id, false});
  }
  if (slice.acquired.empty()) return;
  if (!part.assigned || closing_) return release_unread(slice);
  slice.slice.serial = next_serial_++;
  slice.slice.topic = part.topic;
  slice.slice.partition = part.index;
  slice.slice.held = held;
  slice.slice.records = data.records.bytes;
  slice.slice.position = slice.acquired.front().first;
  ready_.push_back(std::move(slice));
  wanting_ = false;
}

void ShareFetcher::on(const Acknowledged& event) {
  Node& node = node_of(event.node);
  node.busy = false;
  const ShareAcknowledgeResponse& response = event.response;
  if (!accepted(node, response)) return;
  for (const auto& topic : response.responses) {
    for (const auto& data : topic.partitions) {
      const SharePart key{topic.topic_id, data.partition_index};
      const Part* const part = find(key);
      if (!part || data.error_code == Code::none) continue;
      settle(node, key, refusal(part->name(), data.error_code, data.error_message.value_or("")));
      wants_metadata_ |= remedy_of(data.error_code) == Remedy::refresh;
    }
  }
  settle_all(node, std::nullopt);
}

void ShareFetcher::on(const Failed& event) {
  Node& node = node_of(event.node);
  if (event.of == Request::fetch && !node.fetching) return;
  settle_all(node, event.error);
  wants_metadata_ = true;
  rest(node);
}

// The session begins anew; what was acquired in it stays held as far as this side knows, and the broker judges what is said of it.
void ShareFetcher::rest(Node& node) {
  node.busy = node.fetching = false;
  node.session.lost();
  node.retry_at = now_ + options_.backoff.after(++node.failures, random_);
}

void ShareFetcher::refused(Node& node, Code code, std::string_view said) {
  const Error error = refusal("group " + options_.group_id + ", node " + std::to_string(node.id), code, said);
  const bool at_once = ends_session(code) && node.failures == 0;
  settle_all(node, error);
  if (remedy_of(code) == Remedy::none && node.failures == 0) refusal_ = error;
  wants_metadata_ |= remedy_of(code) == Remedy::refresh;
  rest(node);
  if (at_once) node.retry_at.reset();
}

void ShareFetcher::trouble(Part& part, Code code, std::string_view said) {
  if (!part.rest_until) resting_.push_back(&part);
  part.rest_until = now_ + options_.backoff.after(++part.failures, random_);
  place(part);
  if (remedy_of(code) != Remedy::none) {
    wants_metadata_ = true;
  } else if (part.told != code) {
    part.told = code;
    troubles_.push_back({part.topic, part.index, refusal(part.name(), code, said)});
  }
}

// ---- outcomes -----------------------------------------------------------------------------------------------------------------

void ShareFetcher::settle(Node& node, const SharePart& part, const std::optional<Error>& error) {
  const auto said = node.flying.extract(part);
  if (!said) return;
  for (const auto& [first, run] : said.mapped()) tell(part, first, run.last, run.value, error);
}

void ShareFetcher::settle_all(Node& node, const std::optional<Error>& error) {
  while (!node.flying.empty()) {
    const SharePart part = node.flying.begin()->first;
    settle(node, part, error);
  }
}

void ShareFetcher::tell(const SharePart& key, int64_t first, int64_t last, const ShareAck& ack,
                        const std::optional<Error>& error) {
  (error ? counts_.failed : counts_.confirmed[static_cast<size_t>(ack.type)]) += static_cast<uint64_t>(last - first + 1);
  if (ack.commit == nobody || (ack.commit == 0 && !error)) return;
  const Part* const part = find(key);
  if (part) outcomes_[ack.commit].push_back({{*part->topic, part->index}, first, last, error});
}

}  // namespace kq::client
