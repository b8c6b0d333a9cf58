#include "libkq/client/share_fetcher.hpp"

#include <algorithm>

#include "libkq/client/share_fetcher_state.hpp"

namespace kq::client {

ShareFetcher::ShareFetcher(ShareOptions options, std::shared_ptr<FetchMemory> memory, uint64_t seed)
    : options_(std::move(options)), memory_(std::move(memory)), random_(seed) {}

ShareFetcher::~ShareFetcher() = default;

// ---- the group's side ---------------------------------------------------------------------------------------------------------

ShareFetcher::Part* ShareFetcher::find(std::string_view topic, int32_t partition) {
  const auto found = parts_.find(TopicPartition{std::string(topic), partition});
  return found == parts_.end() ? nullptr : found->second.get();
}

ShareFetcher::Part* ShareFetcher::find(const SharePart& key) {
  const auto found = by_id_.find(key);
  return found == by_id_.end() ? nullptr : found->second;
}

ShareFetcher::Node& ShareFetcher::node_of(int32_t id) {
  auto& node = nodes_[id];
  if (!node) node = std::make_unique<Node>(Node{.id = id});
  return *node;
}

void ShareFetcher::add(const Partitions& partitions) {
  for (const TopicPartition& each : partitions) {
    auto& part = parts_[each];
    if (!part)
      part = std::make_unique<Part>(Part{.topic = std::make_shared<const std::string>(each.topic), .index = each.partition});
    part->assigned = true;
    place(*part);
  }
  wants_metadata_ = true;
}

void ShareFetcher::drop(const Partitions& partitions) {
  for (const TopicPartition& each : partitions) {
    Part* const part = find(each.topic, each.partition);
    if (!part) continue;
    part->assigned = false;
    place(*part);
    const auto is_of_it = [&](const ShareSlice& slice) {
      return slice.slice.topic == part->topic && slice.slice.partition == part->index;
    };
    for (const ShareSlice& slice : ready_)
      if (is_of_it(slice)) release_unread(slice);
    std::erase_if(ready_, is_of_it);
  }
}

std::vector<std::string> ShareFetcher::topics() const {
  std::set<std::string> names;
  for (const auto& [at, part] : parts_)
    if (part->assigned) names.insert(at.topic);
  return {names.begin(), names.end()};
}

std::vector<ShareFetcher::Holding> ShareFetcher::holdings() const {
  std::vector<Holding> all;
  for (const auto& [at, part] : parts_) {
    uint64_t held = 0;
    for (const auto& [first, run] : part->held) held += static_cast<uint64_t>(run.last - first + 1);
    if (part->assigned || held > 0) all.push_back({at, part->assigned, held});
  }
  return all;
}

// Where it is to be fetched from, if anywhere.
void ShareFetcher::place(Part& part) {
  const bool fetchable = part.assigned && part.leader >= 0 && !part.rest_until && part.id != Uuid{};
  const int32_t to = fetchable ? part.leader : -1;
  if (part.placed == to) return;
  if (part.placed >= 0) node_of(part.placed).wanted.erase(part.key());
  if (to >= 0) node_of(to).wanted.insert(part.key());
  part.placed = to;
}

// ---- the application's side ---------------------------------------------------------------------------------------------------

void ShareFetcher::want_records() { wanting_ = true; }

ShareSlice ShareFetcher::take() {
  ShareSlice slice = std::move(ready_.front());
  ready_.pop_front();
  return slice;
}

void ShareFetcher::give_back(ShareSlice slice) {
  const Part* const part = find(slice.part);
  if (closing_) return;
  if (part && part->assigned)
    ready_.push_front(std::move(slice));
  else
    release_unread(slice);
}

void ShareFetcher::handed_out(const ShareSlice& slice, int64_t first, int64_t last) {
  Part* const part = find(slice.part);
  if (!part) return;
  std::vector<std::pair<int64_t, Runs<Held_>::Run>> pieces;
  part->held.cut(first, last, [&](int64_t from, int64_t to, const Held_& held) { pieces.push_back({from, {to, held}}); });
  for (const auto& [from, run] : pieces) part->held.put(from, run.last, {run.value.node, true});
}

void ShareFetcher::dispose(const ShareSlice& slice, int64_t first, int64_t last, int8_t type) {
  if (Part* const part = find(slice.part)) say(*part, first, last, {type, nobody}, false);
}

void ShareFetcher::release_unread(const ShareSlice& slice) {
  for (const AcquiredRun& run : slice.acquired) dispose(slice, run.first, run.last, ShareAck::release);
}

void ShareFetcher::failed(const ShareSlice& slice, Error error) {
  const std::string name = *slice.slice.topic + "-" + std::to_string(slice.slice.partition);
  troubles_.push_back({slice.slice.topic, slice.slice.partition, std::move(error).in(name)});
}

bool ShareFetcher::acknowledge(std::string_view topic, int32_t partition, int64_t first, int64_t last, int8_t type) {
  Part* const part = find(topic, partition);
  return part && say(*part, first, last, {type, 0}, true);
}

// What is said is held no more, but for what is renewed.
bool ShareFetcher::say(Part& part, int64_t first, int64_t last, ShareAck ack, bool of_handed_out) {
  std::vector<std::pair<int64_t, Runs<Held_>::Run>> pieces;
  part.held.cut(first, last, [&](int64_t from, int64_t to, const Held_& held) { pieces.push_back({from, {to, held}}); });
  bool any = false;
  for (const auto& [from, run] : pieces) {
    const bool meant = run.value.handed_out == of_handed_out;
    if (!meant || ack.type == ShareAck::renew) part.held.put(from, run.last, run.value);
    if (!meant) continue;
    Node& node = node_of(run.value.node);
    node.pending[part.key()].put(from, run.last, ack);
    node.hurried |= ack.type == ShareAck::renew;  // the lock runs
    any = true;
  }
  return any;
}

void ShareFetcher::hurry() {
  for (auto& [id, node] : nodes_) node->hurried |= !node->pending.empty();
}

void ShareFetcher::commit(uint64_t number) {
  const auto claim = [number](ShareAck& ack) {
    if (ack.commit == 0) ack.commit = number;
  };
  outcomes_[number];
  for (auto& [id, node] : nodes_) {
    for (auto& [part, runs] : node->pending) runs.each_value(claim);
    for (auto& [part, runs] : node->flying) runs.each_value(claim);
  }
  hurry();
}

bool ShareFetcher::commit_is_done(uint64_t number) const {
  const auto has = [number](const ShareAcks& acks) {
    for (const auto& [part, runs] : acks)
      for (const auto& [first, run] : runs)
        if (run.value.commit == number) return true;
    return false;
  };
  return std::ranges::none_of(nodes_, [&](const auto& each) { return has(each.second->pending) || has(each.second->flying); });
}

std::vector<ShareOutcome> ShareFetcher::take_outcomes(uint64_t number) {
  const auto give_up = [number](ShareAck& ack) {
    if (number != 0 && ack.commit == number) ack.commit = 0;
  };
  for (auto& [id, node] : nodes_) {
    for (auto& [part, runs] : node->pending) runs.each_value(give_up);
    for (auto& [part, runs] : node->flying) runs.each_value(give_up);
  }
  auto taken = outcomes_.extract(number);
  return taken ? std::move(taken.mapped()) : std::vector<ShareOutcome>{};
}

void ShareFetcher::close() {
  closing_ = true;
  wanting_ = false;
  ready_.clear();
  for (auto& [id, node] : nodes_)
    if (node->fetching && !node->fetch_sent) node->busy = node->fetching = false;
}

bool ShareFetcher::closed() const {
  return std::ranges::none_of(nodes_, [](const auto& each) { return each.second->busy || each.second->session.open(); });
}

std::optional<PartitionFailure> ShareFetcher::take_trouble() {
  if (troubles_.empty()) return std::nullopt;
  PartitionFailure first = std::move(troubles_.front());
  troubles_.pop_front();
  return first;
}

std::optional<Error> ShareFetcher::take_refusal() { return std::exchange(refusal_, std::nullopt); }

bool ShareFetcher::stuck() const {
  return wanting_ && ready_.empty() && memory_->left() == 0 &&
         std::ranges::none_of(nodes_, [](const auto& each) { return each.second->fetching; });
}

// ---- step ---------------------------------------------------------------------------------------------------------------------

std::span<const ShareFetcher::Wish> ShareFetcher::step(Instant now, const Event& event) {
  now_ = now;
  wishes_.clear();
  std::visit([this](const auto& what) { on(what); }, event);
  wake_resting();
  wish_for_work();
  return wishes_;
}

void ShareFetcher::wake_resting() {
  std::erase_if(resting_, [this](Part* part) {
    if (*part->rest_until > now_) return false;
    part->rest_until.reset();
    place(*part);
    return true;
  });
}

std::optional<Instant> ShareFetcher::deadline() const {
  std::optional<Instant> first;
  const auto no_later_than = [&first](const std::optional<Instant>& when) {
    if (when && (!first || *when < *first)) first = when;
  };
  for (const Part* part : resting_) no_later_than(part->rest_until);
  for (const auto& [id, node] : nodes_)
    if (!node->busy) no_later_than(node->retry_at);
  return first;
}

void ShareFetcher::wish_for_work() {
  starved_ = false;
  const auto next = nodes_.upper_bound(last_fetched_from_);
  for (auto at = next; at != nodes_.end(); ++at) wish_for(*at->second);
  for (auto at = nodes_.begin(); at != next; ++at) wish_for(*at->second);
  if (std::exchange(wants_metadata_, false)) wishes_.push_back({Wish::Kind::metadata});
}

void ShareFetcher::wish_for(Node& node) {
  if (node.busy) return end_beside_fetch(node);
  if (node.retry_at && *node.retry_at > now_ && !closing_) return;
  node.retry_at.reset();
  const bool idle = node.session.open() && node.wanted.empty() && node.pending.empty() && !concerns(node);
  node.ending = node.session.open() && (closing_ || idle);
  if (!node.session.open() && !node.pending.empty() && (closing_ || must_acknowledge(node))) {
    node.flying = std::exchange(node.pending, {});
    settle_all(node, share_detail::refusal("node " + std::to_string(node.id), Code::share_session_not_found, ""));
  }
  if (node.ending || must_acknowledge(node)) {
    node.busy = true;
    wishes_.push_back({Wish::Kind::acknowledge, node.id});
  } else if (may_fetch(node)) {
    node.busy = node.fetching = true;
    node.fetch_sent = false;
    last_fetched_from_ = node.id;
    wishes_.push_back({Wish::Kind::fetch, node.id});
  }
}

// A fetch that waits for records does not hold up the end.  One that carries acknowledgements does: their outcome is in its answer.
void ShareFetcher::end_beside_fetch(Node& node) {
  if (!closing_ || !node.fetching || !node.flying.empty()) return;
  node.fetching = false;  // its answer is of no use any more
  node.ending = true;
  wishes_.push_back({Wish::Kind::end, node.id});
}

bool ShareFetcher::must_acknowledge(const Node& node) const {
  if (node.pending.empty()) return false;
  return node.hurried || std::ranges::any_of(node.pending, [&](const auto& each) { return !node.wanted.contains(each.first); });
}

bool ShareFetcher::may_fetch(const Node& node) {
  if (!wanting_ || closing_ || !ready_.empty() || node.wanted.empty()) return false;
  if (options_.record_limit && std::ranges::any_of(nodes_, [](const auto& each) { return each.second->fetching; })) return false;
  if (memory_->left() > 0) return true;
  starved_ = true;
  return false;
}

// Whether it leads what is assigned, or anything of it is held.
bool ShareFetcher::concerns(const Node& node) const {
  for (const auto& [at, part] : parts_) {
    if (part->assigned && part->leader == node.id) return true;
    for (const auto& [first, run] : part->held)
      if (run.value.node == node.id) return true;
  }
  return false;
}

// ---- requests -----------------------------------------------------------------------------------------------------------------

bool ShareFetcher::fill(int32_t id, ShareFetchRequest& request) {
  Node& node = node_of(id);
  if (!node.fetching || closing_) return false;
  node.fetch_sent = true;
  request.group_id = options_.group_id;
  request.member_id = options_.member_id;
  request.max_wait_ms = static_cast<int32_t>(to_ms(options_.wait_max));
  request.min_bytes = options_.bytes_min;
  request.max_bytes =
      static_cast<int32_t>(std::min<size_t>(static_cast<size_t>(options_.bytes_max), std::max<size_t>(memory_->left(), 1)));
  request.max_records = options_.records_max;
  request.batch_size = options_.records_max;
  request.share_acquire_mode = options_.record_limit;
  if (node.session.open())  // its first request can acknowledge nothing
    for (auto at = node.pending.begin(); at != node.pending.end();)
      if (const auto here = at++; node.wanted.contains(here->first)) node.flying.insert(node.pending.extract(here));
  if (node.hurried && !node.flying.empty()) request.max_wait_ms = 0;
  node.hurried = !node.pending.empty() && node.hurried;
  node.session.fill(request, node.wanted, node.flying);
  return true;
}

void ShareFetcher::fill(int32_t id, ShareAcknowledgeRequest& request) {
  Node& node = node_of(id);
  request.group_id = options_.group_id;
  request.member_id = options_.member_id;
  node.flying = std::exchange(node.pending, {});
  node.hurried = false;
  for (const auto& [part, runs] : node.flying)
    for (const auto& [first, run] : runs) request.is_renew_ack |= run.value.type == ShareAck::renew;
  node.session.fill(request, node.flying, node.ending);
}

}  // namespace kq::client
