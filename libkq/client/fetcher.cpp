#include "libkq/client/fetcher_state.hpp"

#include <algorithm>

namespace kq::client {

// A fetch waits until there is room for this much, or for half of all.
static constexpr size_t room_bytes_min = 64 << 10;

Fetcher::Fetcher(FetchOptions options, std::shared_ptr<FetchMemory> memory, uint64_t seed)
    : options_(std::move(options)), memory_(std::move(memory)), random_(seed) {}

Fetcher::~Fetcher() = default;

// ---- look-ups -----------------------------------------------------------------------------------------------------------------

Fetcher::Partition* Fetcher::find(std::string_view topic, int32_t partition) const {
  const auto found = assigned_.find(ByName::Name{topic, partition});
  return found != assigned_.end() ? found->second.get() : nullptr;
}

Fetcher::Partition* Fetcher::find(uint64_t id, uint64_t generation) const {
  const auto found = by_id_.find(id);
  return found != by_id_.end() && found->second->generation == generation ? found->second : nullptr;
}

Fetcher::Node& Fetcher::node_of(int32_t id) {
  auto& node = nodes_[id];
  if (!node) node = std::make_unique<Node>(Node{.id = id});
  return *node;
}

static Error not_assigned(std::string_view topic, int32_t partition) {
  return {own_code::argument, std::string(topic) + "-" + std::to_string(partition) + " is not assigned to this consumer: assign it first"};
}

// ---- the application's side ---------------------------------------------------------------------------------------------------

void Fetcher::assign(std::span<const AssignedPartition> partitions) {
  auto before = std::exchange(assigned_, {});
  std::shared_ptr<const std::string> topic;                      // one copy of a name, for partitions in a row
  for (const AssignedPartition& wanted : partitions) {
    const auto old = before.find(ByName::Name{wanted.topic, wanted.partition});
    PartitionPtr partition = old != before.end() ? std::move(old->second) : nullptr;
    if (old != before.end()) before.erase(old);
    const bool is_new = partition == nullptr;
    if (is_new) {
      if (!topic || *topic != wanted.topic) topic = std::make_shared<const std::string>(wanted.topic);
      partition = make(topic, wanted.partition);
    }
    if (is_new || wanted.offset != offset_spec::by_policy) place(*partition, wanted.offset);
    assigned_.insert_or_assign({std::string(wanted.topic), wanted.partition}, std::move(partition));
  }
  for (const auto& [name, partition] : before) remove(*partition);
  wants_metadata_ = true;
  wants_step_ = true;
}

Fetcher::PartitionPtr Fetcher::make(std::shared_ptr<const std::string> topic, int32_t index) {
  auto partition = std::make_shared<Partition>(Partition{.id = next_id_++, .topic = std::move(topic), .index = index});
  by_id_[partition->id] = partition.get();
  return partition;
}

void Fetcher::add(const Partitions& partitions) {
  std::shared_ptr<const std::string> topic;
  for (const TopicPartition& each : partitions) {
    if (find(each.topic, each.partition)) continue;
    if (!topic || *topic != each.topic) topic = std::make_shared<const std::string>(each.topic);
    auto partition = make(topic, each.partition);
    place(*partition, offset_spec::by_policy);
    assigned_[{each.topic, each.partition}] = std::move(partition);
  }
  wants_metadata_ = wants_step_ = true;
}

void Fetcher::drop(const Partitions& partitions) {
  for (const TopicPartition& each : partitions) {
    const auto found = assigned_.find(ByName::Name{each.topic, each.partition});
    if (found == assigned_.end()) continue;
    const PartitionPtr partition = std::move(found->second);
    assigned_.erase(found);
    remove(*partition);
  }
}

void Fetcher::remove(Partition& partition) {
  unready(partition);
  if (partition.session_node >= 0) node_of(partition.session_node).session.forget(partition.id);
  if (partition.leader >= 0 && partition.topic_id.is_zero()) --without_topic_id_;
  by_topic_id_.erase({partition.topic_id, partition.index});
  by_id_.erase(partition.id);
  std::erase_if(backing_off_, [&](const Partition* other) { return other == &partition; });
  for (auto& [id, node] : nodes_) std::erase_if(node->listed, [&](const PartitionPtr& other) { return other.get() == &partition; });
}

Status Fetcher::seek(std::string_view topic, int32_t index, int64_t offset) {
  Partition* partition = find(topic, index);
  if (!partition) return not_assigned(topic, index);
  place(*partition, offset);
  wants_step_ = true;
  return {};
}

void Fetcher::place(Partition& partition, int64_t offset) {
  ++partition.generation;
  partition.being_read = false;
  drop_fetched(partition);
  partition.position = offset;
  partition.end_reported = -1;
  partition.last_epoch = -1;
  partition.missing_since.reset();
  if (offset == offset_spec::by_policy && options_.committed_first) return await_committed(partition);
  if (offset < 0) return resolve(partition, offset);
  begin(partition, offset);
}

void Fetcher::await_committed(Partition& partition) {
  partition.state = Partition::State::awaiting;
  partition.asked = false;
  wants_committed_ = true;
  update(partition);
}

void Fetcher::begin(Partition& partition, int64_t offset) {
  partition.state = Partition::State::fetching;
  partition.failures = 0;
  partition.fetch_offset = offset;
  if (partition.fetched.empty() && !partition.being_read) partition.position = offset;
  update(partition);
}

void Fetcher::drop_fetched(Partition& partition) {
  unready(partition);
  partition.fetched.clear();
  partition.waiting_bytes = 0;
}

Status Fetcher::pause(std::string_view topic, int32_t index, bool paused) {
  Partition* partition = find(topic, index);
  if (!partition) return not_assigned(topic, index);
  partition->paused = paused;
  if (paused) unready(*partition);
  else ready(*partition);
  update(*partition);
  wants_step_ = true;
  return {};
}

Result<int64_t> Fetcher::position(std::string_view topic, int32_t index) const {
  const Partition* partition = find(topic, index);
  if (!partition) return not_assigned(topic, index);
  return partition->position;
}

std::vector<PartitionView> Fetcher::assignment() const {
  std::vector<PartitionView> views;
  for (const auto& [name, partition] : assigned_)
    views.push_back({*partition->topic, partition->index, partition->position, partition->end_offset, partition->paused});
  return views;
}

std::vector<std::string> Fetcher::topics() const {
  std::vector<std::string> names;
  for (const auto& [name, partition] : assigned_)
    if (names.empty() || names.back() != name.first) names.push_back(name.first);
  return names;
}

// ---- reading ------------------------------------------------------------------------------------------------------------------

void Fetcher::ready(Partition& partition, bool first) {
  if (partition.is_ready || partition.paused || partition.being_read || partition.fetched.empty()) return;
  partition.is_ready = true;
  if (first) ready_.push_front(&partition);
  else ready_.push_back(&partition);
}

void Fetcher::unready(Partition& partition) {
  if (std::exchange(partition.is_ready, false)) std::erase(ready_, &partition);
}

void Fetcher::push(Partition& partition, Fetched fetched) {
  partition.fetched.push_back(std::move(fetched));
  ready(partition);
}

const Fetched& Fetcher::next() const { return ready_.front()->fetched.front(); }

std::optional<Fetched> Fetcher::take() {
  if (ready_.empty()) return std::nullopt;
  Partition& partition = *ready_.front();
  ready_.pop_front();
  partition.is_ready = false;
  Fetched fetched = std::move(partition.fetched.front());
  partition.fetched.pop_front();
  if (auto* slice = std::get_if<Slice>(&fetched)) {
    partition.being_read = true;
    partition.waiting_bytes -= std::exchange(slice->waiting_bytes, 0);
    partition.position = slice->position;
    if (partition.session_node < 0 && fetchable(partition)) {
      update(partition);
      wants_step_ |= !node_of(source(partition)).fetching;
    }
  } else {
    ready(partition);
  }
  return fetched;
}

void Fetcher::give_back(Slice&& slice) {
  Partition* partition = find(slice.partition_id, slice.generation);
  if (!partition) return;
  partition->being_read = false;
  partition->position = slice.position;
  partition->fetched.emplace_front(std::move(slice));
  ready(*partition, true);
}

void Fetcher::finished(const Slice& slice) {
  Partition* partition = find(slice.partition_id, slice.generation);
  if (!partition) return;
  partition->being_read = false;
  partition->position = slice.position;
  ready(*partition);
}

void Fetcher::failed(const Slice& slice, Error error) {
  Partition* partition = find(slice.partition_id, slice.generation);
  if (!partition) return;
  partition->being_read = false;
  partition->position = slice.position;
  drop_fetched(*partition);
  rest(*partition, std::move(error));
}

// ---- step ---------------------------------------------------------------------------------------------------------------------

std::span<const Fetcher::Wish> Fetcher::step(Instant now, const Event& event) {
  now_ = now;
  std::visit([this](const auto& what) { on(what); }, event);
  wake_backed_off();
  wish_for_work();
  return wishes_;
}

void Fetcher::wish_for_work() {
  wishes_.clear();
  starved_ = false;
  if (std::exchange(wants_metadata_, false) && !assigned_.empty()) wishes_.push_back({Wish::Kind::metadata});
  if (committed_retry_at_ && *committed_retry_at_ <= now_) committed_retry_at_.reset();
  if (wants_committed_ && !asking_committed_ && !committed_retry_at_) wishes_.push_back({Wish::Kind::committed});
  for (const auto& [id, node] : nodes_) {
    if (node->retry_at && *node->retry_at > now_) continue;
    node->retry_at.reset();
    if (node->ask_offsets && !node->listing) wishes_.push_back({Wish::Kind::offsets, id});
    if (!node->connected || node->fetching || node->session.wanted() == 0) continue;
    if (room() == 0) starved_ = true;
    else wishes_.push_back({Wish::Kind::fetch, id});
  }
}

std::optional<Instant> Fetcher::deadline() const {
  std::optional<Instant> first;
  const auto consider = [&](const std::optional<Instant>& at) {
    if (at && (!first || *at < *first)) first = at;
  };
  for (const auto& [id, node] : nodes_) consider(node->retry_at);
  for (const Partition* partition : backing_off_) consider(partition->retry_at);
  consider(committed_retry_at_);
  return first;
}

// What a fetch may bring: 0 where it has to wait.
size_t Fetcher::room() const {
  size_t reserved = 0;
  for (const auto& [id, node] : nodes_) reserved += node->reserved_bytes;
  const size_t left = memory_->left() > reserved ? memory_->left() - reserved : 0;
  return left >= std::min(room_bytes_min, memory_->bytes_max() / 2) ? left : 0;
}

bool Fetcher::stuck() const {
  const auto fetching = [](const auto& node) { return node.second->fetching; };
  return starved_ && !has_ready() && room() == 0 && std::ranges::none_of(nodes_, fetching);
}

bool Fetcher::fill(int32_t id, FetchRequest& request) {
  Node& node = node_of(id);
  const size_t bytes = std::min(room(), static_cast<size_t>(options_.bytes_max));
  if (node.fetching || node.session.wanted() == 0 || bytes == 0) return false;
  node.fetching = true;
  node.reserved_bytes = std::min(bytes, node.session.wanted() * static_cast<size_t>(options_.partition_bytes_max));
  request.max_wait_ms = static_cast<int32_t>(to_ms(options_.wait_max));
  request.min_bytes = options_.bytes_min;
  request.max_bytes = static_cast<int32_t>(bytes);
  request.isolation_level = options_.isolation_level;
  request.rack_id = options_.rack;
  node.session.fill(request, options_.partition_bytes_max);
  return true;
}

bool Fetcher::fill(int32_t id, ListOffsetsRequest& request, int64_t wall_ms) {
  Node& node = node_of(id);
  node.ask_offsets = false;
  node.listed.clear();
  node.listed_topics.clear();
  request.replica_id = -1;
  request.isolation_level = options_.isolation_level;
  for (const auto& [name, partition] : assigned_) {
    if (partition->state != Partition::State::resolving || partition->leader != id || partition->asked || partition->retry_at) continue;
    if (request.topics.empty() || request.topics.back().name != *partition->topic) {
      node.listed_topics.push_back(partition->topic);
      request.topics.emplace_back().name = *partition->topic;
    }
    ListOffsetsRequest::ListOffsetsPartition asked;
    asked.partition_index = partition->index;
    asked.current_leader_epoch = partition->leader_epoch;
    asked.timestamp = partition->spec == offset_spec::by_duration ? wall_ms - to_ms(options_.reset_back) : partition->spec;
    request.topics.back().partitions.push_back(asked);
    partition->asked = true;
    node.listed.push_back(partition);
  }
  node.listing = !node.listed.empty();
  return node.listing;
}

// ---- leaders and connections --------------------------------------------------------------------------------------------------

void Fetcher::on(const Metadata& event) {
  for (const Leader& leader : event.leaders) learn(leader);
  for (const Missing& missing : event.missing) learn(missing);
}

void Fetcher::learn(const Leader& leader) {
  Partition* partition = find(leader.topic, leader.partition);
  if (!partition) return;
  partition->missing_since.reset();
  know_leader(*partition, leader);
  if (partition->leader < 0) back_off(*partition);
  else if (partition->state == Partition::State::resolving) node_of(partition->leader).ask_offsets = true;
  update(*partition);
}

void Fetcher::know_leader(Partition& partition, const Leader& leader) {
  if (partition.leader >= 0 && partition.topic_id.is_zero()) --without_topic_id_;
  if (partition.topic_id != leader.topic_id) {
    by_topic_id_.erase({partition.topic_id, partition.index});
    partition.topic_id = leader.topic_id;
    if (!leader.topic_id.is_zero()) by_topic_id_[{leader.topic_id, partition.index}] = &partition;
  }
  // A new leader is worth a try at once.
  if (partition.leader != leader.node || partition.leader_epoch != leader.epoch) partition.failures = 0;
  if (partition.leader != leader.node && partition.retry_at) {
    partition.retry_at.reset();
    std::erase(backing_off_, &partition);
  }
  if (partition.leader_epoch != leader.epoch) partition.replica = -1;
  partition.leader = leader.node;
  partition.leader_epoch = leader.epoch;
  if (partition.leader >= 0 && partition.topic_id.is_zero()) ++without_topic_id_;
}

void Fetcher::learn(const Missing& missing) {
  Partition* partition = find(missing.topic, missing.partition);
  if (!partition || partition->state == Partition::State::resting) return;
  if (!partition->missing_since) partition->missing_since = now_;
  const bool may_come = remedy_of(missing.code) != Remedy::none && now_ - *partition->missing_since < topic_grace;
  if (may_come) {
    back_off(*partition);
    return update(*partition);
  }
  rest(*partition, Error(static_cast<int32_t>(missing.code),
                         partition->text() + " cannot be read: " + name_of(missing.code) + ", " + meaning_of(missing.code)));
}

void Fetcher::on(const NotConnected& event) { node_of(event.node).connected = false; }
void Fetcher::on(const Disconnected& event) {
  node_of(event.node).connected = true;              // to be asked for again
  leave_replica(event.node);
}

// Whoever fetched from this follower goes back to the leader.
void Fetcher::leave_replica(int32_t node) {
  for (const auto& [name, partition] : assigned_) {
    if (partition->replica != node) continue;
    partition->replica = -1;
    update(*partition);
  }
}

void Fetcher::on(const Connected& event) {
  Node& node = node_of(event.node);
  node.connected = true;
  node.retry_at.reset();
}

void Fetcher::on(const FetchFailed& event) {
  Node& node = node_of(event.node);
  node.fetching = false;
  node.reserved_bytes = 0;
  node.session.lost();
  node.retry_at = now_ + options_.backoff.after(++node.failures, random_);
  leave_replica(event.node);
}

void Fetcher::on(const OffsetsFailed& event) {
  Node& node = node_of(event.node);
  node.listing = false;
  for (const PartitionPtr& partition : std::exchange(node.listed, {})) {
    partition->asked = false;
    if (event.error.code() == own_code::unsupported) rest(*partition, event.error);
    else back_off(*partition);
  }
  wants_metadata_ = true;
}

}  // namespace kq::client
