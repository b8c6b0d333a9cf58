#include "tests/sim/sharers.hpp"

#include <algorithm>

namespace kq::sim {
namespace {

constexpr Duration call_timeout = 20s;
constexpr int16_t delivery_count_max = 5;         // group.share.delivery.count.limit

}  // namespace

// ---- what may be --------------------------------------------------------------------------------------------------------------

void ShareHistory::fail(int32_t partition, int64_t offset, const std::string& what) const {
  throw std::runtime_error("in-" + std::to_string(partition) + " @" + std::to_string(offset) + " " + what);
}

ShareHistory::Entry& ShareHistory::at(int32_t partition, int64_t offset) {
  auto& lane = lanes_.at(static_cast<size_t>(partition));
  if (lane.size() <= static_cast<size_t>(offset)) lane.resize(static_cast<size_t>(offset) + 1);
  return lane[static_cast<size_t>(offset)];
}

void ShareHistory::handed_out(const std::string& member, int32_t partition, int64_t offset, int16_t delivery_count) {
  world_.note(member + " has in-" + std::to_string(partition) + " @" + std::to_string(offset) + " #" + std::to_string(delivery_count));
  Entry& entry = at(partition, offset);
  if (entry.told_count > 0 && delivery_count > entry.told_count) fail(partition, offset, "comes to " + member + " after it was acknowledged");
  if (calm_ && !entry.holder.empty()) fail(partition, offset, "comes to " + member + " while " + entry.holder + " has it");
  if (delivery_count < 1 || delivery_count > delivery_count_max) fail(partition, offset, "has delivery count " + std::to_string(delivery_count));
  again_ += entry.handed_out;
  entry.handed_out = true;
  entry.holder = member;
}

void ShareHistory::told(int32_t partition, int64_t offset, int16_t delivery_count) {
  Entry& entry = at(partition, offset);
  entry.told_count = std::max(entry.told_count, delivery_count);
  entry.holder.clear();
}

void ShareHistory::gone(const std::string& member) {
  world_.note(member + " is gone");
  for (auto& lane : lanes_)
    for (Entry& entry : lane)
      if (entry.holder == member) entry.holder.clear();
}

size_t ShareHistory::handed_out(int32_t partition) const {
  return static_cast<size_t>(std::ranges::count_if(lanes_.at(static_cast<size_t>(partition)), &Entry::handed_out));
}

// ---- a member -----------------------------------------------------------------------------------------------------------------

Sharer::Sharer(World& world, ShareHistory& history, SharerOptions options)
    : world_(world), history_(history), options_(std::move(options)), process_(world.share_consumer(options_.settings)) {
  world_.note(options_.name + " starts");
  if (const Status subscribed = process_->consumer->subscribe({"in"}); !subscribed) throw std::runtime_error(subscribed.error().message());
}

Sharer::~Sharer() { die(); }

void Sharer::die() {
  if (process_) history_.gone(options_.name);
  process_.reset();
}

void Sharer::turn() {
  if (ending_ && ending_->outcome) {
    world_.note(options_.name + (*ending_->outcome ? " has left" : " has left: " + ending_->outcome->error().message()));
    return die();
  }
  if (committing_ && committing_->outcome) {
    const auto commit = std::exchange(committing_, nullptr);
    if (!*commit->outcome) world_.note(options_.name + " commit: " + commit->outcome->error().message());
    for (const client::ShareOutcome& each : commit->outcomes)
      for (int64_t offset = each.first; *commit->outcome && offset <= each.last; ++offset) told(each.at.partition, offset, each.error);
  }
  if (!process_ || ending_ || committing_ || idle_until_ > Clock::now()) return;
  poll();
}

void Sharer::poll() {
  client::Batch batch;
  client::ShareConsumer::Where where;
  const auto polled = process_->consumer->poll(Clock::now(), batch, where);
  if (!polled)
    world_.note(options_.name + " poll: " + polled.error().message());
  else if (*polled == client::ShareConsumer::Polled::batch)
    take(batch);
  else if (world_.random().one_in(10))
    commit();
}

void Sharer::take(const client::Batch& batch) {
  for (size_t row = 0; row < batch.records.size(); ++row) {
    const kq_record& record = batch.records[row];
    if (batch.kind == KQ_RECORDS) {
      history_.handed_out(options_.name, record.partition, record.offset, record.delivery_count);
      held_[{record.partition, record.offset}] = record.delivery_count;
      work_on(batch, row);
    } else if (batch.kind == KQ_EVENT) {
      told(record.partition, record.offset, batch.failures[row]);
    }
  }
  if (batch.kind == KQ_RECORDS && world_.random().one_in(2)) commit();
}

void Sharer::work_on(const client::Batch& batch, size_t row) {
  const kq_record& record = batch.records[row];
  kq_acknowledge how = KQ_ACCEPT;
  if (options_.release_one_in && world_.random().one_in(options_.release_one_in)) how = KQ_RELEASE;
  else if (options_.reject_one_in && world_.random().one_in(options_.reject_one_in)) how = KQ_REJECT;
  if (how == KQ_RELEASE) {
    released_.insert({record.partition, record.offset});
    history_.released(record.partition, record.offset);
  }
  const Status said = process_->consumer->acknowledge(batch, row, 1, static_cast<int8_t>(how));
  if (!said) world_.note(options_.name + " acknowledges: " + said.error().message());
}

void Sharer::told(int32_t partition, int64_t offset, const std::optional<Error>& error) {
  const bool released = released_.erase({partition, offset}) > 0;
  if (error) world_.note(options_.name + " @" + std::to_string(offset) + ": " + error->message());
  else if (!released) history_.told(partition, offset, held_[{partition, offset}]);
}

void Sharer::commit() {
  if (world_.random().one_in(2)) {
    if (const Status begun = process_->consumer->commit_later(++tags_); !begun) world_.note(options_.name + " commit: " + begun.error().message());
    return;
  }
  committing_ = std::make_shared<Call>();
  world_.loop().spawn(run_commit(process_->consumer, committing_));
}

awaitable<void> Sharer::run_commit(std::shared_ptr<client::ShareConsumer> consumer, std::shared_ptr<Call> call) {
  auto outcome = co_await consumer->commit(call->outcomes, Clock::now() + call_timeout);
  call->outcome = std::move(outcome);
}

void Sharer::leave() {
  if (ending_ || !process_ || committing_) return;
  world_.note(options_.name + " leaves");
  ending_ = std::make_shared<Call>();
  world_.loop().spawn(run_end(process_->consumer, ending_));
  history_.gone(options_.name);                   // what it has not acknowledged it gives back
}

awaitable<void> Sharer::run_end(std::shared_ptr<client::ShareConsumer> consumer, std::shared_ptr<Call> call) {
  auto outcome = co_await consumer->end(Clock::now() + call_timeout);
  call->outcome = std::move(outcome);
}

}  // namespace kq::sim
