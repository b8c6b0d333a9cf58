#include "broker/handlers/fetch_session.hpp"

#include <algorithm>

#include "libkq/base/random.hpp"

namespace kq::broker {

void FetchedPartition::changed() {
  std::lock_guard lock(set.mutex_);
  if (!ready_hook.is_linked()) set.ready_.push_back(*this);
  if (!set.waiter_ || std::exchange(set.waiter_->woken, true)) return;
  set.waiter_->loop.post([waiter = set.waiter_] { waiter->signal.notify(); });
}

FetchSet::~FetchSet() {
  for (FetchedPartition& member : order_) unlink(member);
}

void FetchSet::ask(FetchKey key, const FetchRequest::FetchPartition& asked) {
  auto known = by_key_.find(key);
  if (known == by_key_.end()) {
    const auto added = order_.emplace(order_.end(), *this, key);
    known = by_key_.emplace(std::move(key), added).first;
    unwatched_.push_back(&*added);
  }
  FetchedPartition& member = *known->second;
  member.asked = asked;
  std::lock_guard lock(mutex_);
  if (!member.ready_hook.is_linked()) ready_.push_back(member);
}

void FetchSet::forget(const FetchKey& key) {
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) return;
  unlink(*known->second);
  order_.erase(known->second);
  by_key_.erase(known);
}

void FetchSet::unlink(FetchedPartition& member) {
  if (member.watching) member.partition->unwatch(member);
  else std::erase(unwatched_, &member);
  std::lock_guard lock(mutex_);                   // after unwatch() nobody makes it ready any more
  if (member.ready_hook.is_linked()) member.ready_hook.unlink();
}

void FetchSet::begin_pass() {
  std::lock_guard lock(mutex_);
  pass_.splice(pass_.end(), ready_);
}

FetchedPartition* FetchSet::next_ready() {
  std::lock_guard lock(mutex_);
  if (pass_.empty()) return nullptr;
  FetchedPartition& member = pass_.front();
  pass_.pop_front();
  return &member;
}

void FetchSet::end_pass() {
  std::lock_guard lock(mutex_);
  ready_.splice(ready_.begin(), pass_);
}

void FetchSet::ready_again(FetchedPartition& member) {
  std::lock_guard lock(mutex_);
  if (!member.ready_hook.is_linked()) ready_.push_back(member);
}

void FetchSet::lost(FetchedPartition& member) {
  if (std::exchange(member.watching, false)) {
    member.partition->unwatch(member);
    unwatched_.push_back(&member);
  }
  member.partition.reset();
}

void FetchSet::watch_all() {
  std::vector<FetchedPartition*> absent;
  for (FetchedPartition* member : unwatched_) {
    if (!member->partition) {
      absent.push_back(member);
      continue;
    }
    member->watching = true;
    member->partition->watch(*member, member->generation);
  }
  unwatched_ = std::move(absent);
}

bool FetchSet::await(std::shared_ptr<FetchWaiter> waiter) {
  std::lock_guard lock(mutex_);
  if (!ready_.empty()) return false;
  waiter_ = std::move(waiter);
  return true;
}

void FetchSet::stop_awaiting() {
  std::lock_guard lock(mutex_);
  waiter_.reset();
}

std::shared_ptr<FetchSession> FetchSessions::open(bool uses_topic_ids, size_t partitions, Instant now) {
  std::lock_guard lock(mutex_);
  if (sessions_.size() >= slots_ && !make_room(partitions, now)) return nullptr;
  auto session = std::make_shared<FetchSession>();
  do {
    session->id = static_cast<int32_t>(system_random_u64() & 0x7fffffff);
  } while (session->id == 0 || sessions_.contains(session->id));
  session->uses_topic_ids = uses_topic_ids;
  session->created = session->used = now;
  session->in_use = true;
  session->partitions = partitions;
  sessions_.emplace(session->id, session);
  return session;
}

// As Kafka does: one that was not used for a while makes room; else the smallest old one, for a larger one.
bool FetchSessions::make_room(size_t partitions, Instant now) {
  const auto oldest = std::ranges::min_element(sessions_, {}, [](const auto& entry) { return entry.second->used; });
  if (oldest == sessions_.end()) return false;
  if (oldest->second->used + eviction_min < now) {
    sessions_.erase(oldest);
    return true;
  }
  auto smallest = sessions_.end();
  for (auto session = sessions_.begin(); session != sessions_.end(); ++session) {
    if (session->second->created + eviction_min >= now) continue;
    if (smallest == sessions_.end() || session->second->partitions < smallest->second->partitions) smallest = session;
  }
  if (smallest == sessions_.end() || smallest->second->partitions >= partitions) return false;
  sessions_.erase(smallest);
  return true;
}

FetchSessions::Found FetchSessions::resume(int32_t id, int32_t epoch, bool uses_topic_ids, Instant now) {
  std::lock_guard lock(mutex_);
  const auto known = sessions_.find(id);
  if (known == sessions_.end()) return {Code::fetch_session_id_not_found, nullptr};
  FetchSession& session = *known->second;
  if (session.epoch != epoch || session.in_use) return {Code::invalid_fetch_session_epoch, nullptr};
  if (session.uses_topic_ids != uses_topic_ids) return {Code::fetch_session_topic_id_error, nullptr};
  session.epoch = session.epoch == INT32_MAX ? 1 : session.epoch + 1;
  session.used = now;
  session.in_use = true;
  return {Code::none, known->second};
}

void FetchSessions::release(FetchSession& session) {
  std::lock_guard lock(mutex_);
  session.in_use = false;
  session.partitions = session.set.size();
}

void FetchSessions::close(int32_t id) {
  std::shared_ptr<FetchSession> closed;           // declared first: it dies outside the lock
  std::lock_guard lock(mutex_);
  const auto known = sessions_.find(id);
  if (known == sessions_.end()) return;
  closed = std::move(known->second);
  sessions_.erase(known);
}

size_t FetchSessions::size() const {
  std::lock_guard lock(mutex_);
  return sessions_.size();
}

}  // namespace kq::broker
