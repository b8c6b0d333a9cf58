#include "broker/txn/coordinator.hpp"

#include <limits>

namespace kq::txn {
namespace {

constexpr int32_t never_times_out = std::numeric_limits<int32_t>::max();  // of a two-phase commit (KIP-939), whose own coordinator ends it

using coordinator::Now;
using coordinator::Record;
using coordinator::Writes;

// What follows from `held`: its producer goes on, at this time.
Transaction after(const Transaction& held, const Now& now) {
  Transaction next = held;
  next.previous_producer_id = next.next_producer_id = no_producer_id;
  next.update_ms = now.wall_ms;
  return next;
}

PreparedEnd end_of(const std::string& transactional_id, const Transaction& prepared) {
  return {.transactional_id = transactional_id,
          .producer = {prepared.producer_id, prepared.producer_epoch},
          .commit = prepared.state == State::prepare_commit,
          .transactions_v2 = prepared.client_version >= epoch_bump_from,
          .partitions = prepared.partitions};
}

bool stands_for(const Transaction& held, const PreparedEnd& end) {
  return held.state == (end.commit ? State::prepare_commit : State::prepare_abort) && held.producer_id == end.producer.id &&
         held.producer_epoch == end.producer.epoch;
}

}  // namespace

Transaction* TransactionCoordinator::find(std::string_view transactional_id) {
  const auto found = transactions_.find(transactional_id);
  return found == transactions_.end() ? nullptr : &found->second;
}

const Transaction* TransactionCoordinator::find(std::string_view transactional_id) const {
  const auto found = transactions_.find(transactional_id);
  return found == transactions_.end() ? nullptr : &found->second;
}

int16_t TransactionCoordinator::server_version() const {
  if (!image_) return 0;
  const auto level = image_->features.find("transaction.version");
  return level == image_->features.end() ? int16_t{0} : level->second;
}

void TransactionCoordinator::put(std::string_view transactional_id, const Transaction& next, Writes& writes) const {
  const bool flexible = server_version() >= flexible_records_from;
  TransactionLogKey key;
  key.transactional_id = transactional_id;
  TransactionLogValue value;
  fill(next, value);
  if (!flexible) {  // what an old record cannot say
    value.previous_producer_id = value.next_producer_id = no_producer_id;
    value.client_transaction_version = 0;
  }
  writes.put(key, value, flexible ? 1 : 0);
}

// ---- InitProducerId --------------------------------------------------------------------------------------------------------------

TransactionCoordinator::InitAnswer TransactionCoordinator::init(const Now& now, const Init& request, Writes& writes) {
  now_ = now;
  InitAnswer answer;
  const Transaction* held = find(request.transactional_id);
  if (request.timeout_ms <= 0 || request.timeout_ms > settings_.max_timeout_ms) {
    answer.code = Code::invalid_transaction_timeout;
  } else if (!held) {
    if (!request.fresh_producer_id) return {.wants_producer_id = true};
    Transaction none;
    none.producer_id = *request.fresh_producer_id;
    return next_epoch(now, request, none, writes);
  } else if (request.expected && may_continue(*held, *request.expected) != Code::none) {
    answer.code = Code::producer_fenced;
  } else if (preparing(held->state)) {
    answer.code = Code::concurrent_transactions;
  } else if (held->state == State::ongoing) {
    // The producer that comes meets the one that went.  It waits until what that one left open is aborted, and asks again.
    answer.end = fence(now, std::string(request.transactional_id), *held, writes);
    answer.code = Code::concurrent_transactions;
  } else {
    return next_epoch(now, request, *held, writes);
  }
  return answer;
}

// A producer that names its id and epoch is one that goes on after an error, unless another has come since.
Code TransactionCoordinator::may_continue(const Transaction& held, const ProducerIdAndEpoch& expected) const {
  const bool was_it = expected.id == held.previous_producer_id && exhausted(expected.epoch);
  return held.producer_epoch == no_producer_epoch || expected.id == held.producer_id || was_it ? Code::none
                                                                                               : Code::producer_fenced;
}

TransactionCoordinator::InitAnswer TransactionCoordinator::next_epoch(const Now& now, const Init& request,
                                                                      const Transaction& held, Writes& writes) {
  Transaction next = after(held, now);
  const auto& expected = request.expected;
  const bool is_current = !expected || held.producer_epoch == no_producer_epoch || expected->epoch == held.producer_epoch;
  int16_t previous_epoch = expected ? held.producer_epoch : no_producer_epoch;
  if (is_current && exhausted(held.producer_epoch)) {
    if (!request.fresh_producer_id) return {.wants_producer_id = true};
    next.previous_producer_id = held.producer_id;
    next.producer_id = *request.fresh_producer_id;
    next.producer_epoch = 0;
  } else if (is_current) {
    ++next.producer_epoch;
  } else if (expected->epoch == held.previous_epoch) {
    // It did not hear the answer.  Nobody else has come, or the previous epoch would be forgotten.
    next.previous_producer_id = held.previous_producer_id;
    previous_epoch = held.previous_epoch;
  } else {
    return {.code = Code::producer_fenced};
  }
  next.state = State::empty;
  next.partitions.clear();
  next.start_ms = -1;
  next.timeout_ms = request.timeout_ms;
  put(request.transactional_id, next, writes);
  writes.then([this, id = std::string(request.transactional_id), previous_epoch](Code code) {
    if (Transaction* written = code == Code::none ? find(id) : nullptr) written->previous_epoch = previous_epoch;
  });
  return {.producer = {next.producer_id, next.producer_epoch}};
}

// ---- Partitions ------------------------------------------------------------------------------------------------------------------

Code TransactionCoordinator::verify_partitions(const Add& request, Partitions& missing) const {
  const Transaction* held = find(request.transactional_id);
  if (!held || held->producer_id != request.producer.id) return Code::invalid_producer_id_mapping;
  if (held->producer_epoch != request.producer.epoch) return Code::producer_fenced;
  if (preparing(held->state)) return Code::concurrent_transactions;
  for (const auto& [topic, indices] : request.partitions) {
    const auto in = held->partitions.find(topic);
    for (const int32_t index : indices)
      if (in == held->partitions.end() || !in->second.contains(index)) missing[topic].insert(index);
  }
  return missing.empty() ? Code::none : Code::transaction_abortable;
}

Code TransactionCoordinator::add_partitions(const Now& now, const Add& request, Writes& writes) {
  now_ = now;
  const Transaction* held = find(request.transactional_id);
  if (!held || held->producer_id != request.producer.id) return Code::invalid_producer_id_mapping;
  if (held->producer_epoch != request.producer.epoch) return Code::producer_fenced;
  if (preparing(held->state)) return Code::concurrent_transactions;
  if (held->state == State::ongoing && contains(held->partitions, request.partitions)) return Code::none;
  Transaction next = after(*held, now);
  if (held->state != State::ongoing) next.start_ms = now.wall_ms;
  next.state = State::ongoing;
  next.client_version = request.client_version;
  for (const auto& [topic, indices] : request.partitions) next.partitions[topic].insert(indices.begin(), indices.end());
  put(request.transactional_id, next, writes);
  return Code::none;
}

// ---- The end ---------------------------------------------------------------------------------------------------------------------

TransactionCoordinator::EndAnswer TransactionCoordinator::end(const Now& now, const End& request, Writes& writes) {
  now_ = now;
  const Transaction* held = find(request.transactional_id);
  if (!held) return {.code = Code::invalid_producer_id_mapping};
  return request.client_version >= epoch_bump_from ? end_v2(now, request, *held, writes) : end_v1(now, request, *held, writes);
}

TransactionCoordinator::EndAnswer TransactionCoordinator::end_v1(const Now& now, const End& request, const Transaction& held,
                                                                 Writes& writes) {
  if (held.producer_id != request.producer.id) return {.code = Code::invalid_producer_id_mapping};
  if (held.producer_epoch != request.producer.epoch) return {.code = Code::producer_fenced};
  switch (held.state) {
    case State::ongoing: return prepare(now, request, held, writes);
    case State::prepare_commit:
    case State::prepare_abort:
      return {.code = request.commit == (held.state == State::prepare_commit) ? Code::concurrent_transactions
                                                                              : Code::invalid_txn_state};
    case State::complete_commit:
    case State::complete_abort:
      if (request.commit != (held.state == State::complete_commit)) return {.code = Code::invalid_txn_state};
      return {.producer = {held.producer_id, held.producer_epoch}};
    default: return {.code = Code::invalid_txn_state};
  }
}

// An end raises the epoch, so the epoch tells a repeat from the end of the next transaction.  To abort is legal without a partition
// as well: the epoch then fences what is under way to a partition that was not added yet.
TransactionCoordinator::EndAnswer TransactionCoordinator::end_v2(const Now& now, const End& request, const Transaction& held,
                                                                 Writes& writes) {
  const bool repeat_over_ids =
      held.previous_producer_id == request.producer.id && request.producer.epoch == last_epoch && held.producer_epoch == 0;
  const bool repeat = repeat_over_ids || held.producer_epoch == request.producer.epoch + 1;
  const bool current = request.producer.epoch == held.producer_epoch;
  if (held.producer_id != request.producer.id && !repeat_over_ids) return {.code = Code::invalid_producer_id_mapping};
  const bool known = preparing(held.state) ? repeat && !repeat_over_ids : complete(held.state) ? repeat || current : current;
  if (!known) return {.code = Code::producer_fenced};
  const EndAnswer done{.producer = {held.producer_id, held.producer_epoch}};
  const EndAnswer illegal{.code = Code::invalid_txn_state};
  switch (held.state) {
    case State::ongoing: return prepare(now, request, held, writes);
    case State::prepare_commit:
    case State::prepare_abort:
      return {.code = request.commit == (held.state == State::prepare_commit) ? Code::concurrent_transactions
                                                                              : Code::invalid_txn_state};
    case State::complete_commit:
      if (request.commit) return repeat ? done : illegal;
      return repeat ? illegal : prepare(now, request, held, writes);
    case State::complete_abort:
      if (request.commit) return illegal;
      return repeat ? done : prepare(now, request, held, writes);
    case State::empty: return request.commit ? illegal : prepare(now, request, held, writes);
    default: return illegal;
  }
}

TransactionCoordinator::EndAnswer TransactionCoordinator::prepare(const Now& now, const End& request, const Transaction& held,
                                                                  Writes& writes) {
  Transaction next = after(held, now);
  next.state = request.commit ? State::prepare_commit : State::prepare_abort;
  next.client_version = request.client_version;
  if (held.state != State::ongoing) next.start_ms = now.wall_ms;
  EndAnswer answer;
  answer.producer = {next.producer_id, next.producer_epoch};
  if (request.client_version >= epoch_bump_from) {
    if (exhausted(held.producer_epoch)) {
      if (!request.fresh_producer_id) return {.wants_producer_id = true};
      next.next_producer_id = *request.fresh_producer_id;
    }
    ++next.producer_epoch;
    answer.producer = next.next_producer_id == no_producer_id ? ProducerIdAndEpoch{next.producer_id, next.producer_epoch}
                                                              : ProducerIdAndEpoch{next.next_producer_id, 0};
  }
  put(request.transactional_id, next, writes);
  answer.end = end_of(std::string(request.transactional_id), next);
  writes.then([this, id = answer.end->transactional_id](Code code) {
    if (Transaction* written = code == Code::none ? find(id) : nullptr) written->finishing = true;
  });
  return answer;
}

// Aborts under an epoch that no producer is given: whoever began the transaction is fenced.
PreparedEnd TransactionCoordinator::fence(const Now& now, const std::string& transactional_id, const Transaction& held,
                                          Writes& writes) {
  Transaction next = after(held, now);
  next.state = State::prepare_abort;
  next.client_version = server_version() >= epoch_bump_from ? server_version() : int16_t{0};
  ++next.producer_epoch;
  put(transactional_id, next, writes);
  writes.then([this, transactional_id](Code code) {
    if (Transaction* written = code == Code::none ? find(transactional_id) : nullptr) written->finishing = true;
  });
  return end_of(transactional_id, next);
}

std::vector<PreparedEnd> TransactionCoordinator::take_prepared() {
  std::vector<PreparedEnd> taken;
  for (const std::string& id : prepared_) {
    Transaction& held = *find(id);
    if (std::exchange(held.finishing, true)) continue;
    taken.push_back(end_of(id, held));
  }
  return taken;
}

void TransactionCoordinator::completed(const Now& now, const PreparedEnd& end, Writes& writes) {
  now_ = now;
  const Transaction* held = find(end.transactional_id);
  if (!held || !stands_for(*held, end)) return;
  Transaction next = after(*held, now);
  next.state = end.commit ? State::complete_commit : State::complete_abort;
  next.partitions.clear();
  if (held->next_producer_id != no_producer_id) {
    next.previous_producer_id = held->producer_id;
    next.producer_id = held->next_producer_id;
    next.producer_epoch = 0;
  }
  put(end.transactional_id, next, writes);
}

void TransactionCoordinator::given_up(const PreparedEnd& end) {
  Transaction* held = find(end.transactional_id);
  if (held && stands_for(*held, end)) held->finishing = false;
}

// ---- The log, and time -----------------------------------------------------------------------------------------------------------

void TransactionCoordinator::replay(const Record& record) {
  const auto frame = read_key_frame(record.key);
  if (!frame || frame->type != static_cast<uint32_t>(TransactionLogKey::type)) return;
  const auto key = decode<TransactionLogKey>(frame->message, 0);
  if (!key) return;
  const auto place = transactions_.find(key->transactional_id);
  if (!record.value) {
    if (place == transactions_.end()) return;
    place->second.state = State::dead;
    watch(place->first, place->second);
    transactions_.erase(place);
    return;
  }
  auto next = read_transaction(*record.value);
  if (!next) return;
  Transaction& held = place == transactions_.end() ? transactions_[std::string(key->transactional_id)] : place->second;
  next->deadline = held.deadline;
  next->previous_epoch = held.previous_epoch;
  if (preparing(next->state) && next->producer_epoch != held.producer_epoch) {
    const bool by_end = next->client_version >= epoch_bump_from;  // else by a fence: nobody comes again with what is fenced
    next->previous_epoch = by_end ? static_cast<int16_t>(next->producer_epoch - 1) : no_producer_epoch;
  }
  held = std::move(*next);
  watch(key->transactional_id, held);
}

// Keeps what is looked up by time and by state in step with the transaction.
void TransactionCoordinator::watch(std::string_view transactional_id, Transaction& transaction) {
  if (preparing(transaction.state))
    prepared_.emplace(transactional_id);
  else if (const auto held = prepared_.find(transactional_id); held != prepared_.end())
    prepared_.erase(held);
  if (!loaded_) return;
  if (!next_expiry_ && transaction.state != State::dead) next_expiry_ = now_.instant + settings_.expiry_interval;
  if (transaction.deadline && transaction.state != State::ongoing) {
    deadlines_.erase({*transaction.deadline, std::string(transactional_id)});
    transaction.deadline.reset();
  } else if (!transaction.deadline && transaction.state == State::ongoing && transaction.timeout_ms != never_times_out) {
    const int64_t left_ms = std::max<int64_t>(transaction.start_ms + transaction.timeout_ms - now_.wall_ms, 0);
    transaction.deadline = now_.instant + std::chrono::milliseconds(left_ms);
    deadlines_.emplace(*transaction.deadline, transactional_id);
  }
}

void TransactionCoordinator::loaded(const Now& now, std::shared_ptr<const cluster::Image> image) {
  now_ = now;
  image_ = std::move(image);
  loaded_ = true;
  for (auto& [id, transaction] : transactions_) watch(id, transaction);
  if (!prepared_.empty()) settings_.prepared(partition_);
}

std::optional<Instant> TransactionCoordinator::deadline() const {
  if (deadlines_.empty()) return next_expiry_;
  return std::min(deadlines_.begin()->first, next_expiry_.value_or(Instant::max()));
}

void TransactionCoordinator::tick(const Now& now, Writes& writes) {
  now_ = now;
  if (!deadlines_.empty() && deadlines_.begin()->first <= now.instant) {
    const std::string id = deadlines_.begin()->second;
    const PreparedEnd end = fence(now, id, *find(id), writes);
    writes.then([this, id](Code code) {
      if (code == Code::none && find(id)) settings_.prepared(partition_);
    });
    return;
  }
  if (next_expiry_ && *next_expiry_ <= now.instant) expire(now, writes);
}

// What is refused now is tried again with the next round.
void TransactionCoordinator::expire(const Now& now, Writes& writes) {
  next_expiry_.reset();
  if (!transactions_.empty()) next_expiry_ = now.instant + settings_.expiry_interval;
  writes.may_be_split();
  for (const auto& [id, transaction] : transactions_) {
    const bool idle = transaction.state == State::empty || complete(transaction.state);
    if (!idle || transaction.update_ms > now.wall_ms - settings_.id_expiration_ms) continue;
    TransactionLogKey key;
    key.transactional_id = id;
    writes.remove(key);
  }
}

}  // namespace kq::txn
