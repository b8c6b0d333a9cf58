// The consumer's part in a group: what Membership tells, what is committed, and how long nobody polls.
#include "libkq/client/consumer.hpp"
#include "libkq/client/group_offsets.hpp"

namespace kq::client {
namespace {

std::vector<GroupOffset> rows_of(const Partitions& partitions) {
  std::vector<GroupOffset> rows;
  for (const TopicPartition& each : partitions) rows.push_back({.at = each});
  return rows;
}

// A rebalance came in between: the member may have another generation by now, or is about to.
bool any_outdated(const std::vector<GroupOffset>& offsets) {
  const auto is = [](const GroupOffset& each, Code code) { return each.error && each.error->code() == static_cast<int32_t>(code); };
  return std::ranges::any_of(offsets, [&](const GroupOffset& each) {
    return is(each, Code::stale_member_epoch) || is(each, Code::illegal_generation);
  });
}

Error closed_error() { return {own_code::closed, "the consumer is closed"}; }

}  // namespace

// ---- subscriptions ------------------------------------------------------------------------------------------------------------

Status Consumer::in_group() const {
  if (closed_) return closed_error();
  if (!coordinated_) return no_group_error();
  return {};
}

Status Consumer::subscribe(std::vector<std::string> topics) {
  {
    std::lock_guard lock(mutex_);
    KQ_TRY(in_group());
    if (mode_ == Mode::assigned)
      return Error(own_code::argument, "partitions were assigned by hand: assign none before you subscribe");
    mode_ = Mode::subscribed;
  }
  driver_->run([&] {
    if (membership_) membership_->subscribe(std::move(topics));
    if (patience_) patience_->arm(Clock::now() + poll_interval_max_);
  });
  return {};
}

Status Consumer::subscribe_pattern(const std::string& pattern) {
  std::regex compiled;
  try {
    compiled.assign(pattern);
  } catch (const std::regex_error& error) {
    if (!by_broker_) return Error(own_code::argument, "'" + pattern + "' is no regular expression: " + error.what());
  }
  {
    std::lock_guard lock(mutex_);
    KQ_TRY(in_group());
    if (mode_ == Mode::assigned)
      return Error(own_code::argument, "partitions were assigned by hand: assign none before you subscribe");
    mode_ = Mode::subscribed;
  }
  driver_->run([&] {
    if (membership_) membership_->subscribe_pattern(pattern, std::move(compiled), by_broker_);
    if (patience_) patience_->arm(Clock::now() + poll_interval_max_);
  });
  return {};
}

Status Consumer::unsubscribe() {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return closed_error();
    if (mode_ != Mode::subscribed) return {};
    mode_ = Mode::idle;
  }
  driver_->run([&] {
    if (membership_) membership_->subscribe({});
    if (patience_) patience_->disarm();
  });
  return {};
}

// ---- what Membership tells ----------------------------------------------------------------------------------------------------

void Consumer::ring() {
  beacon_.light(true);
  bell_.ring();
  note_ready();
}

void Consumer::queue(Event event) {
  events_.push_back(std::move(event));
  ring();
}

void Consumer::group_assigned(const Partitions& partitions) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    fetcher_.add(partitions);
    queue({.kind = KQ_ASSIGNED, .rows = rows_of(partitions)});
  }
  topics_changed();
}

void Consumer::group_revoked(const Partitions& partitions) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    fetcher_.drop(partitions);
    revocation_ = Revocation{++revocations_, partitions};
    queue({.kind = KQ_REVOKED, .rows = rows_of(partitions), .tag = revocation_->number});
  }
  topics_changed();
}

void Consumer::group_lost(const Partitions& partitions, const MemberIdentity& former) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    if (losses_ == losses_told_) former_ = former;
    ++losses_;
    fetcher_.drop(partitions);
    offsets_.forget(partitions);
    // Nobody needs to give up any more what is gone already.
    if (revocation_)
      std::erase_if(events_, [&](const Event& event) { return event.kind == KQ_REVOKED && event.tag == revocation_->number; });
    revocation_.reset();
    Partitions lost = partitions;
    withdraw_assignment(lost);
    if (!lost.empty()) queue({.kind = KQ_LOST, .rows = rows_of(lost)});
    note_losses_told();
  }
  topics_changed();
}

// What came and went while nobody polled is not told at all: others may have it by now.
void Consumer::withdraw_assignment(Partitions& lost) {
  for (Event& event : events_) {
    if (event.kind != KQ_ASSIGNED) continue;
    std::erase_if(event.rows, [&](const GroupOffset& row) { return std::erase(lost, row.at) > 0; });
  }
  std::erase_if(events_, [](const Event& event) { return event.kind == KQ_ASSIGNED && event.rows.empty(); });
}

void Consumer::note_losses_told() {
  if (std::ranges::none_of(events_, [](const Event& event) { return event.kind == KQ_LOST; })) losses_told_ = losses_;
}

bool Consumer::is_lost_untold(std::string_view topic, int32_t partition) const {
  return std::ranges::any_of(events_, [&](const Event& event) {
    return event.kind == KQ_LOST && std::ranges::any_of(event.rows, [&](const GroupOffset& row) {
             return row.at.partition == partition && row.at.topic == topic;
           });
  });
}

void Consumer::group_trouble(const Error& error) {
  cluster_->logger().warning("group", error.message());
  std::lock_guard lock(mutex_);
  if (closed_ || (group_trouble_ && group_trouble_->verdict() == Verdict::fatal)) return;
  group_trouble_ = error;
  ring();
}

bool Consumer::take_event(Batch& into) {
  if (events_.empty()) return false;
  Event event = std::move(events_.front());
  events_.pop_front();
  into.kind = event.kind;
  into.event = event.event;
  note_losses_told();
  for (GroupOffset& each : event.rows) {
    const auto topic = std::make_shared<const std::string>(std::move(each.at.topic));
    into.hold(topic);
    kq_record row = KQ_RECORD_INIT;
    row.topic = topic->c_str();
    row.partition = each.at.partition;
    row.offset = each.offset;
    row.leader_epoch = each.leader_epoch;
    row.tag = event.kind == KQ_EVENT ? event.tag : 0;
    into.records.push_back(row);
    if (event.kind == KQ_EVENT) into.failures.push_back(std::move(each.error));
  }
  if (event.kind == KQ_REVOKED && revocation_ && revocation_->number == event.tag) {
    revocation_->receiver = std::this_thread::get_id();
    into.acknowledgement = std::make_unique<Acknowledgement>([weak = weak_from_this(), number = event.tag] {
      if (const auto self = weak.lock()) self->acknowledged(number);
    });
  }
  return true;
}

// ---- giving up ----------------------------------------------------------------------------------------------------------------

void Consumer::release(Batch& batch) {
  if (batch.acknowledgement) batch.acknowledgement->give();
  std::lock_guard lock(mutex_);
  if (closed_ || !coordinated_) return;
  for (const BatchEnd& end : batch.ends) offsets_.done_with(*end.topic, end.partition, end.next_offset);
  if (auto_commit_ && !batch.ends.empty() && !std::exchange(commit_planned_, true)) post(&Consumer::plan_commit);
}

void Consumer::acknowledged(uint64_t number) {
  std::lock_guard lock(mutex_);
  if (closed_ || !revocation_ || revocation_->number != number || std::exchange(revocation_->acknowledged, true)) return;
  post(&Consumer::begin_finishing_revocation);
}

void Consumer::begin_finishing_revocation() { driver_->loop().spawn(finish_revocation(shared_from_this())); }

awaitable<void> Consumer::finish_revocation(std::shared_ptr<Consumer> self) {
  std::vector<GroupOffset> offsets;
  uint64_t number = 0, since = 0;
  {
    std::lock_guard lock(self->mutex_);
    if (!self->revocation_ || !self->revocation_->acknowledged) co_return;
    number = self->revocation_->number;
    since = self->losses_;
    if (self->auto_commit_) offsets = self->offsets_.to_commit(self->revocation_->partitions);
  }
  if (!offsets.empty()) {
    auto committed = co_await self->commit(offsets, Clock::now() + self->group_.request_timeout, since);
    if (!committed) self->cluster_->logger().warning("group", committed.error().message());
  }
  // A commit of the application's that is on its way still holds.
  const Instant patience = Clock::now() + self->group_.request_timeout;
  for (bool in_time = true; self->committing_ && in_time;) in_time = co_await self->committed_.wait_until(self->driver_->loop(), patience);
  {
    std::lock_guard lock(self->mutex_);
    if (!self->revocation_ || self->revocation_->number != number) co_return;
    self->offsets_.forget(self->revocation_->partitions);
    self->revocation_.reset();
    // It is not tried again under an epoch in which the partitions are another's.
    if (self->committing_) ++self->losses_;
    self->note_losses_told();
  }
  if (self->membership_) self->membership_->released();
}

bool Consumer::is_being_revoked(const Slice& slice) const {
  if (!revocation_) return false;
  return std::ranges::any_of(revocation_->partitions, [&](const TopicPartition& each) {
    return each.partition == slice.partition && each.topic == *slice.topic;
  });
}

// What was read while its partition was lost, or while the position was moved, does not count.
void Consumer::note_end(const Slice& slice, bool any_record, Batch& into) {
  if (!fetcher_.current(slice) && !is_being_revoked(slice)) return;
  const int32_t leader_epoch = any_record ? into.records.back().leader_epoch : -1;
  offsets_.handed_out(*slice.topic, slice.partition, slice.position, leader_epoch);
  into.ends.push_back({slice.topic, slice.partition, slice.position});
}

// ---- polls --------------------------------------------------------------------------------------------------------------------

void Consumer::begin_poll() {
  ++polls_;
  ready_since_.reset();
  if (!coordinated_) return;
  const bool stored = offsets_.poll_begins();
  if (stored && auto_commit_ && !closed_ && !std::exchange(commit_planned_, true)) post(&Consumer::plan_commit);
  if (std::exchange(overdue_, false)) post(&Consumer::poll_resumed);
  const bool mine = revocation_ && revocation_->receiver == std::this_thread::get_id();
  if (mine && !std::exchange(revocation_->acknowledged, true)) post(&Consumer::begin_finishing_revocation);
}

void Consumer::end_poll() {
  --polls_;
  note_ready();
}

void Consumer::note_ready() {
  if (coordinated_ && polls_ == 0 && !ready_since_ && may_have_something()) ready_since_ = Clock::now();
}

void Consumer::poll_resumed() {
  if (membership_) membership_->polled();
}

// An idle consumer is never late: the time runs while there is something to poll and nobody polls.
void Consumer::look_at_patience() {
  bool late = false;
  {
    std::lock_guard lock(mutex_);
    if (mode_ != Mode::subscribed || closed_) return;
    const Instant now = Clock::now();
    late = ready_since_ && now - *ready_since_ >= poll_interval_max_ && !overdue_;
    overdue_ |= late;
    patience_->arm((ready_since_ && !overdue_ ? *ready_since_ : now) + poll_interval_max_);
  }
  if (!late) return;
  cluster_->logger().warning("group", "nobody has polled for max.poll.interval.ms: the partitions go to other members");
  membership_->overdue();
}

// ---- committing ---------------------------------------------------------------------------------------------------------------

MemberIdentity Consumer::own_identity() const {
  return membership_ && membership_->is_member() ? membership_->identity() : MemberIdentity{};
}

MemberIdentity Consumer::identity() const {
  const bool is_member = membership_ && membership_->is_member();
  std::lock_guard lock(mutex_);
  if (losses_ != losses_told_ || (mode_ == Mode::subscribed && !is_member)) return former_;
  return own_identity();
}

// One after the other, so that an older commit that is tried again never overwrites a newer one.
awaitable<Result<bool>> Consumer::commit(std::vector<GroupOffset>& offsets, Instant deadline) {
  uint64_t told = 0;
  {
    std::lock_guard lock(mutex_);
    told = losses_told_;
  }
  return commit(offsets, deadline, told);
}

awaitable<Result<bool>> Consumer::commit(std::vector<GroupOffset>& offsets, Instant deadline, uint64_t since) {
  const auto self = shared_from_this();
  const auto coordinator = coordinator_;
  if (!coordinator) co_return closed_error();
  while (committing_) {
    const bool in_time = co_await committed_.wait_until(driver_->loop(), deadline);
    if (!in_time)
      co_return Error{own_code::timed_out, "group " + group_.group_id + ": an earlier commit is not answered yet",
                      Verdict::retry};
  }
  if (!membership_) co_return closed_error();
  bool subscribed = false;
  {
    std::lock_guard lock(mutex_);
    subscribed = mode_ == Mode::subscribed;
  }
  if (subscribed && !membership_->is_member()) co_return group_refusal(group_.group_id, "commit", Code::unknown_member_id);
  committing_ = true;
  Result<bool> outcome = true;
  for (int failures = 1;; ++failures) {
    const MemberIdentity member = own_identity();
    bool lost = false;
    {
      std::lock_guard lock(mutex_);
      lost = losses_ != since;
    }
    if (lost) {
      outcome = group_refusal(group_.group_id, "commit", Code::illegal_generation);
      break;
    }
    const Instant begun = Clock::now();
    outcome = co_await commit_offsets(coordinator, group_.group_id, member, offsets, deadline);
    commit_us_.add(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun).count());
    if (!outcome || !subscribed || !any_outdated(offsets)) break;
    const bool in_time = co_await cluster_->back_off(failures, deadline);  // the next heartbeat tells the new epoch, or that all is lost
    if (!in_time || !membership_) break;
  }
  committing_ = false;
  committed_.notify_all();
  if (!outcome) co_return outcome;
  std::lock_guard lock(mutex_);
  for (const GroupOffset& each : offsets)
    if (!each.error) offsets_.committed(each.at, each.offset);
  co_return true;
}

awaitable<Result<bool>> Consumer::committed(std::vector<GroupOffset>& offsets, Instant deadline) {
  const auto self = shared_from_this();
  const auto coordinator = coordinator_;
  if (!coordinator) co_return closed_error();
  const MemberIdentity member = own_identity();
  co_return co_await fetch_offsets(coordinator, group_.group_id, member, false, offsets, deadline);
}

awaitable<void> Consumer::fetch_committed(std::shared_ptr<Consumer> self) {
  std::vector<GroupOffset> offsets;
  {
    std::lock_guard lock(self->mutex_);
    if (self->closed_) co_return;
    offsets = self->fetcher_.fill_committed();
  }
  if (offsets.empty()) co_return;
  auto fetched = co_await self->committed(offsets, Clock::now() + self->cluster_->options().request_timeout);
  if (!fetched) co_return self->step(Fetcher::CommittedFailed{std::move(fetched.error())});
  {
    std::lock_guard lock(self->mutex_);
    for (const GroupOffset& each : offsets)
      if (!each.error && each.offset >= 0) self->offsets_.committed(each.at, each.offset);
  }
  const Fetcher::CommittedAnswered answered{offsets};
  self->step(answered);
}

Status Consumer::store(std::span<const GroupOffset> offsets) {
  std::lock_guard lock(mutex_);
  KQ_TRY(in_group());
  for (const GroupOffset& each : offsets) offsets_.store(each.at, each.offset, each.leader_epoch, each.metadata);
  if (auto_commit_ && !std::exchange(commit_planned_, true)) post(&Consumer::plan_commit);
  return {};
}

std::vector<GroupOffset> Consumer::everything_handed_out() const {
  std::lock_guard lock(mutex_);
  return offsets_.all();
}

void Consumer::plan_commit() {
  if (commit_timer_) commit_timer_->arm(Clock::now() + commit_interval_);
}

awaitable<void> Consumer::commit_stored(std::shared_ptr<Consumer> self) {
  std::vector<GroupOffset> offsets;
  uint64_t since = 0;
  {
    std::lock_guard lock(self->mutex_);
    self->commit_planned_ = false;
    if (self->closed_) co_return;
    offsets = self->offsets_.to_commit();
    since = self->losses_;
  }
  if (offsets.empty()) co_return;
  auto outcome = co_await self->commit(offsets, Clock::now() + self->group_.request_timeout, since);
  if (!outcome) self->cluster_->logger().warning("group", outcome.error().message());
  std::lock_guard lock(self->mutex_);
  // What failed is committed next time, if it is still this consumer's.
  if (!self->closed_ && self->offsets_.anything_to_commit() && !std::exchange(self->commit_planned_, true)) self->plan_commit();
}

void Consumer::commit_later(std::vector<GroupOffset> offsets, uint64_t tag) {
  uint64_t since = 0;
  {
    std::lock_guard lock(mutex_);
    since = losses_told_;
  }
  driver_->loop().post([self = shared_from_this(), offsets = std::move(offsets), tag, since] {
    self->driver_->loop().spawn(commit_and_tell(self, offsets, tag, since));
  });
}

awaitable<void> Consumer::commit_and_tell(std::shared_ptr<Consumer> self, std::vector<GroupOffset> offsets, uint64_t tag,
                                          uint64_t since) {
  auto outcome = co_await self->commit(offsets, Clock::now() + self->group_.request_timeout, since);
  if (!outcome)
    for (GroupOffset& each : offsets) each.error = outcome.error();
  std::lock_guard lock(self->mutex_);
  if (!self->closed_) self->queue({.kind = KQ_EVENT, .event = KQ_COMMITTED, .rows = std::move(offsets), .tag = tag});
}

awaitable<Result<bool>> Consumer::end(Instant deadline) {
  const auto self = shared_from_this();
  Result<bool> outcome = true;
  std::vector<GroupOffset> offsets;
  uint64_t since = 0;
  {
    std::lock_guard lock(mutex_);
    if (closed_) co_return true;
    if (auto_commit_) offsets = offsets_.to_commit();
    since = losses_;
  }
  if (!offsets.empty()) outcome = co_await commit(offsets, deadline, since);
  if (const auto membership = membership_) co_await membership->leave(deadline);
  if (const auto telemetry = telemetry_) co_await telemetry->terminate(deadline);
  co_return outcome;
}

}  // namespace kq::client
