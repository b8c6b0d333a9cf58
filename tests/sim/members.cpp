#include "tests/sim/members.hpp"

namespace kq::sim {
namespace {

constexpr Duration call_timeout = 20s;

std::vector<client::Setting> consumer_settings(const GroupHistory& history, const MemberOptions& options) {
  std::vector<client::Setting> settings = options.settings;
  settings.emplace_back("group.id", history.group());
  settings.emplace_back("auto.offset.reset", "earliest");
  settings.emplace_back("enable.auto.commit", options.commits == Commits::by_itself ? "true" : "false");
  if (options.commits == Commits::in_transactions) settings.emplace_back("isolation.level", "read_committed");
  return settings;
}

}  // namespace

// ---- any member ---------------------------------------------------------------------------------------------------------------

Member::Member(World& world, GroupHistory& history, MemberOptions options)
    : world_(world), history_(history), options_(std::move(options)), process_(world.consumer(consumer_settings(history, options_))) {
  world_.note(options_.name + " starts");
  const Status subscribed = options_.pattern.empty() ? consumer().subscribe({history_.topic()}) : consumer().subscribe_pattern(options_.pattern);
  if (!subscribed) throw std::runtime_error(options_.name + " cannot subscribe: " + subscribed.error().message());
}

Member::~Member() { die(); }

void Member::die() {
  if (process_) history_.gone(options_.name);
  revocation_.reset();
  process_.reset();
}

void Member::turn() {
  if (ending_ && *ending_) {
    world_.note(options_.name + (**ending_ ? " has left" : " has left: " + (*ending_)->error().message()));
    return die();
  }
  if (committing_ && committing_->outcome) {
    const auto commit = std::exchange(committing_, nullptr);
    const bool going = revocation_ != nullptr;
    if (*commit->outcome) commit_told(commit->offsets);
    else commit_failed(commit->outcome->error());
    revocation_.reset();
    for (const client::GroupOffset& each : commit->offsets)
      if (!going && (each.error || !*commit->outcome)) commit_again(each.at.partition, each.offset);
  }
  if (!process_ || ending_ || busy()) return;
  poll();
}

void Member::poll() {
  history_.poll_begins(options_.name);
  client::Batch batch;
  client::Consumer::Where where;
  const auto polled = consumer().poll(Clock::now(), batch, where);
  if (!polled) {
    world_.note(options_.name + " poll: " + polled.error().message());
    failed_ = polled.error().verdict() == Verdict::fatal;
    if (failed_) die();
    return;
  }
  if (*polled == client::Consumer::Polled::batch) take(batch);
  else if (options_.commits != Commits::by_itself) commit(options_.commits == Commits::synchronously);
}

void Member::take(client::Batch& batch) {
  if (batch.kind == KQ_RECORDS) {
    std::vector<Record> records;
    for (const kq_record& each : batch.records) {
      history_.handed_out(options_.name, each.partition, each.offset);
      records.push_back({each.partition, each.offset, std::string(static_cast<const char*>(each.value), each.value_len)});
    }
    return received(std::move(records));
  }
  if (batch.kind == KQ_EVENT) {
    for (size_t i = 0; i < batch.failures.size(); ++i) {
      const kq_record& row = batch.records[i];
      if (!batch.failures[i]) history_.commit_told(row.partition, row.offset);
      else commit_again(row.partition, row.offset);
    }
    return;
  }
  std::set<int32_t> partitions;
  for (const kq_record& each : batch.records) partitions.insert(each.partition);
  for (const int32_t partition : partitions) {
    if (batch.kind == KQ_ASSIGNED) history_.assigned(options_.name, partition);
    if (batch.kind == KQ_REVOKED) history_.revoked(options_.name, partition);
    if (batch.kind == KQ_LOST) history_.lost(options_.name, partition);
  }
  if (batch.kind == KQ_ASSIGNED) return;
  const bool has_to_commit = batch.kind == KQ_REVOKED && options_.commits == Commits::synchronously && !done_.empty();
  if (!has_to_commit)
    for (const int32_t partition : partitions) done_.erase(partition);
  if (batch.kind == KQ_LOST) return;
  // By its word, by freeing it, or by the next poll.
  if (has_to_commit || world_.random().one_in(3)) revocation_ = std::make_unique<client::Batch>(std::move(batch));
  else if (world_.random().one_in(2)) consumer().release(batch);
  if (has_to_commit) commit(true);
}

void Member::received(std::vector<Record> records) {
  if (options_.commits == Commits::by_itself) return;
  for (const Record& each : records) done_[each.partition] = each.offset + 1;
  if (world_.random().one_in(2)) commit(options_.commits == Commits::synchronously);
}

void Member::commit(bool synchronously) {
  std::vector<client::GroupOffset> offsets;
  for (const auto& [partition, offset] : std::exchange(done_, {})) offsets.push_back({.at = {history_.topic(), partition}, .offset = offset});
  if (offsets.empty()) return;
  for (const client::GroupOffset& each : offsets) asked_[each.at.partition] = each.offset;
  if (!synchronously) return consumer().commit_later(std::move(offsets), ++tags_);
  committing_ = std::make_shared<Commit>();
  committing_->offsets = std::move(offsets);
  world_.loop().spawn(run_commit(process_->consumer, committing_));
}

awaitable<void> Member::run_commit(std::shared_ptr<client::Consumer> consumer, std::shared_ptr<Commit> commit) {
  auto outcome = co_await consumer->commit(commit->offsets, Clock::now() + call_timeout);
  commit->outcome = std::move(outcome);
}

void Member::commit_told(const std::vector<client::GroupOffset>& offsets) {
  for (const client::GroupOffset& each : offsets) {
    if (!each.error) history_.commit_told(each.at.partition, each.offset);
    else commit_failed(*each.error);
  }
}

void Member::commit_failed(const Error& error) {
  world_.note(options_.name + " commit: " + error.message());
  if (revocation_) history_.commit_failed(error.message());
}

// What was not committed, and is still its own, is with the next commit, unless a later one has been asked for.
void Member::commit_again(int32_t partition, int64_t offset) {
  if (history_.owns(options_.name, partition) && asked_[partition] == offset) done_.try_emplace(partition, offset);
}

void Member::leave() {
  if (ending_ || !process_ || committing_ || !settled()) return;
  world_.note(options_.name + " leaves");
  revocation_.reset();
  ending_ = std::make_shared<std::optional<Result<bool>>>();
  world_.loop().spawn(run_end(process_->consumer, ending_));
  // From here on it polls no more: what it has is no longer read.
  history_.gone(options_.name);
}

awaitable<void> Member::run_end(std::shared_ptr<client::Consumer> consumer, std::shared_ptr<std::optional<Result<bool>>> into) {
  auto outcome = co_await consumer->end(Clock::now() + call_timeout);
  *into = std::move(outcome);
}

bool Member::gone() const { return !process_; }

std::string Member::doing() const {
  if (gone()) return "is gone";
  if (leaving()) return "leaves";
  if (committing_) return "commits";
  return idle_until_ > Clock::now() ? "does not poll" : "polls";
}

// ---- transactions -------------------------------------------------------------------------------------------------------------

Transformer::Transformer(World& world, GroupHistory& history, MemberOptions options)
    : Member(world, history, std::move(options)) {
  std::vector<client::Setting> settings = options_.producer;
  settings.emplace_back("transactional.id", options_.transactional_id);
  producer_ = world_.producer(std::move(settings));
}

void Transformer::turn() {
  while (producer_ && producer_->poll()) {
  }
  go_on();
  Member::turn();
  if (gone()) producer_.reset();
}

void Transformer::received(std::vector<Record> records) {
  work_ = std::move(records);
  sent_ = 0;
  call(Stage::beginning, client::TransactionEngine::Operation::begin);
}

void Transformer::call(Stage stage, client::TransactionEngine::Operation what, std::shared_ptr<const client::TransactionOffsets> offsets) {
  stage_ = stage;
  call_ = producer_->transaction()->call(what, std::move(offsets));
}

void Transformer::go_on() {
  if (stage_ == Stage::idle || gone()) return;
  if (stage_ == Stage::sending) return send();
  if (auto outcome = producer_->transaction()->outcome(call_)) ended(*outcome);
}

// Copy i of what was read at offset o goes to partition (o + i) modulo their number.
void Transformer::send() {
  using Operation = client::TransactionEngine::Operation;
  if (world_.random().one_in(20)) return call(Stage::aborting, Operation::abort);
  const size_t all = work_.size() * copies;
  for (; sent_ < all; ++sent_) {
    if (world_.random().one_in(8)) return;        // the rest in a later turn
    const Record& record = work_[sent_ / copies];
    const auto copy = static_cast<int64_t>(sent_ % copies);
    const std::string value = record.value + " copy " + std::to_string(copy);
    client::Outbound outbound;
    outbound.topic = options_.output.c_str();
    outbound.partition = static_cast<int32_t>((record.offset + copy) % history_.partitions());
    outbound.value = as_bytes(value);
    const client::Sending outcome = producer_->try_send(outbound);
    if (outcome == client::Sending::sent) continue;
    if (outcome != client::Sending::aborting && outcome != client::Sending::refused) return;
    const Error why = producer_->explain(outcome, outbound);
    world_.note(options_.name + " send: " + why.message());
    if (why.verdict() == Verdict::fatal) return failed_ = true, die();
    return call(Stage::aborting, Operation::abort);
  }
  auto offsets = std::make_shared<client::TransactionOffsets>();
  const client::MemberIdentity identity = consumer().identity();
  offsets->group_id = history_.group();
  offsets->member_id = identity.member_id;
  offsets->generation = identity.generation;
  offsets->instance_id = identity.instance_id;
  std::map<int32_t, int64_t> next;
  for (const Record& record : work_) next[record.partition] = record.offset + 1;
  for (const auto& [partition, offset] : next) offsets->offsets.push_back({.topic = history_.topic(), .partition = partition, .offset = offset});
  call(Stage::sending_offsets, Operation::send_offsets, std::move(offsets));
}

void Transformer::ended(const Status& outcome) {
  using Operation = client::TransactionEngine::Operation;
  if (!outcome) {
    world_.note(options_.name + " transaction: " + outcome.error().message());
    if (outcome.error().verdict() == Verdict::fatal) return failed_ = true, die();
  }
  switch (stage_) {
    case Stage::beginning:
      if (outcome) stage_ = Stage::sending;
      else call(Stage::beginning, Operation::begin);
      return;
    case Stage::sending_offsets:
      return outcome ? call(Stage::committing, Operation::commit) : call(Stage::aborting, Operation::abort);
    case Stage::committing:
      if (!outcome) return call(Stage::aborting, Operation::abort);
      for (const Record& record : work_) history_.commit_told(record.partition, record.offset + 1);
      stage_ = Stage::idle;
      return;
    case Stage::aborting:
      if (!outcome) return failed_ = true, die();
      rewind();
      stage_ = Stage::idle;
      return;
    default: return;
  }
}

std::string Transformer::doing() const {
  const char* stages[] = {"", "begins", "sends", "sends offsets", "ends a transaction", "aborts"};
  return stage_ == Stage::idle ? Member::doing() : stages[static_cast<size_t>(stage_)];
}

// What was not committed is read again, where it is still this member's.
void Transformer::rewind() {
  std::map<int32_t, int64_t> first;
  for (const Record& record : work_) first.try_emplace(record.partition, record.offset);
  for (const auto& [partition, offset] : first) {
    const bool still_mine = consumer().seek(history_.topic(), partition, offset).ok();
    history_.moved(options_.name, partition, still_mine ? offset : -1);
  }
}

}  // namespace kq::sim
