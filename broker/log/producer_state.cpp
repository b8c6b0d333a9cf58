#include "broker/log/producer_state.hpp"

#include <algorithm>

#include "libkq/protocol/messages/storage.hpp"
#include "libkq/protocol/wire.hpp"
#include "libkq/record/batch.hpp"
#include "libkq/record/crc32c.hpp"

namespace kq::log {
namespace {

constexpr int16_t snapshot_version = 1;
constexpr size_t snapshot_crc_at = 2;                  // after the version
constexpr size_t snapshot_covered_from = 6;            // what the crc covers

bool in_sequence(int32_t last, int32_t next) { return next == int64_t{last} + 1 || (next == 0 && last == INT32_MAX); }

void set_epoch(Producer& producer, int16_t epoch) {
  if (producer.epoch == epoch) return;
  producer.epoch = epoch;
  producer.batch_count = 0;
}

void add_batch(Producer& producer, const BatchMetadata& batch) {
  if (producer.batch_count == Producer::batches_max) {
    std::copy(producer.batches + 1, producer.batches + Producer::batches_max, producer.batches);
    --producer.batch_count;
  }
  producer.batches[producer.batch_count++] = batch;
}

}  // namespace

const Producer* ProducerState::find(int64_t producer_id) const {
  const auto found = producers_.find(producer_id);
  return found == producers_.end() ? nullptr : found->second.get();
}

const BatchMetadata* ProducerState::duplicate_of(const ProducerBatch& batch) const {
  const Producer* producer = find(batch.producer_id);
  if (!producer || producer->epoch != batch.epoch || batch.control) return nullptr;
  for (size_t i = 0; i < producer->batch_count; ++i) {
    const BatchMetadata& held = producer->batches[i];
    if (held.first_sequence() == batch.base_sequence && held.last_sequence == batch.last_sequence) return &held;
  }
  return nullptr;
}

VerificationGuard ProducerState::begin_verification(const VerificationRequest& request) {
  if (has_open_transaction(request.producer_id, request.epoch)) return no_guard;
  if (verifications_.size() >= verifications_max)
    boost::unordered::erase_if(verifications_, [&](const auto& held) { return request.now_ms - held.second.begun_ms >= verification_ms_max; });
  if (verifications_.size() >= verifications_max && !verifications_.contains(request.producer_id)) return no_guard;
  const auto [entry, is_new] = verifications_.try_emplace(request.producer_id);
  Verification& held = entry->second;
  if (is_new) held.guard = ++last_guard_;
  if (is_new || request.epoch > held.epoch) {
    held.epoch = request.epoch;
    held.lowest_sequence = request.base_sequence;
  } else if (request.epoch == held.epoch) {
    held.lowest_sequence = std::min(held.lowest_sequence, request.base_sequence);
  }
  held.transactions_v2 = request.transactions_v2;
  held.begun_ms = request.now_ms;
  return held.guard;
}

Code ProducerState::check(const ProducerBatch& batch, const AppendOptions& how) const {
  if (batch.producer_id < 0 || how.origin == AppendOrigin::replication || how.origin == AppendOrigin::raft_leader) return Code::none;
  const Producer* producer = find(batch.producer_id);
  if (batch.control) return producer && batch.marker ? check_marker(*producer, batch, how.transactions_v2) : Code::none;
  if (const Code code = check_verified(batch, how); code != Code::none) return code;
  if (producer && batch.epoch < producer->epoch) return Code::invalid_producer_epoch;
  if (how.origin == AppendOrigin::client) {
    if (const Code code = check_sequence(producer, batch, how.transactions_v2); code != Code::none) return code;
  }
  if (producer && producer->transaction_first_offset >= 0 && !batch.transactional) return Code::invalid_txn_state;
  return Code::none;
}

Code ProducerState::check_verified(const ProducerBatch& batch, const AppendOptions& how) const {
  if (!batch.transactional || !how.verified_only || has_open_transaction(batch.producer_id, batch.epoch)) return Code::none;
  const auto held = verifications_.find(batch.producer_id);
  const bool verified = how.guard != no_guard && held != verifications_.end() && held->second.guard == how.guard;
  return verified ? Code::none : Code::invalid_txn_state;
}

// Where transactions are of version 2, a marker raises the epoch.  One that does not comes late, into a transaction that it does not
// mean; or it is a repeat, and then there is nothing that it could end.
Code ProducerState::check_marker(const Producer& producer, const ProducerBatch& batch, bool transactions_v2) const {
  const bool repeat = batch.epoch == producer.epoch && producer.transaction_first_offset < 0;
  const bool stale = transactions_v2 && !repeat ? batch.epoch <= producer.epoch : batch.epoch < producer.epoch;
  if (stale) return Code::invalid_producer_epoch;
  return producer.coordinator_epoch > batch.marker->coordinator_epoch ? Code::transaction_coordinator_fenced : Code::none;
}

Code ProducerState::check_sequence(const Producer* producer, const ProducerBatch& batch, bool transactions_v2) const {
  // An earlier batch that was verified beside this one has not come yet.
  const auto verified = verifications_.find(batch.producer_id);
  if (batch.transactional && verified != verifications_.end() && batch.base_sequence > verified->second.lowest_sequence)
    return Code::out_of_order_sequence_number;
  if (!producer) {
    // All that the producer wrote may be gone (retention, DeleteRecords): any sequence goes on from there, except that in version 2
    // a transaction's first batch cannot have a predecessor.
    const bool refused = transactions_v2 && batch.transactional && batch.base_sequence != 0;
    return refused ? Code::out_of_order_sequence_number : Code::none;
  }
  const bool fits = batch.epoch != producer->epoch ? batch.base_sequence == 0 || producer->epoch == no_producer_epoch
                                                   : producer->epoch == no_producer_epoch ||
                                                         in_sequence(producer->last_sequence(), batch.base_sequence);
  return fits ? Code::none : Code::out_of_order_sequence_number;
}

std::optional<CompletedTransaction> ProducerState::append(const ProducerBatch& batch) {
  if (batch.producer_id < 0) return std::nullopt;
  if (batch.control && !batch.marker) return std::nullopt;       // its transaction was cleaned away
  auto& held = producers_[batch.producer_id];
  if (!held) {
    held = std::make_unique<Producer>();
    held->id = batch.producer_id;
  }
  Producer& producer = *held;
  set_epoch(producer, batch.epoch);
  if (batch.transactional) verifications_.erase(batch.producer_id);
  producer.last_timestamp = batch.max_timestamp;
  if (!batch.control) {
    add_batch(producer, {batch.last_sequence, static_cast<int32_t>(batch.last_offset - batch.base_offset), batch.last_offset,
                         batch.max_timestamp});
    if (batch.transactional && producer.transaction_first_offset < 0) {
      producer.transaction_first_offset = batch.base_offset;
      open_[batch.base_offset] = producer.id;
    }
    return std::nullopt;
  }
  producer.coordinator_epoch = batch.marker->coordinator_epoch;
  const int64_t first_offset = std::exchange(producer.transaction_first_offset, -1);
  if (first_offset < 0) return std::nullopt;
  return CompletedTransaction{producer.id, first_offset, batch.base_offset, !batch.marker->commit};
}

int64_t ProducerState::stable_offset_after(const CompletedTransaction& completed) const {
  for (const auto& [first_offset, producer_id] : open_) {
    if (producer_id != completed.producer_id) return first_offset;
  }
  return completed.last_offset + 1;
}

void ProducerState::complete(const CompletedTransaction& completed) {
  if (open_.erase(completed.first_offset) > 0) ended_[completed.first_offset] = completed.last_offset;
}

std::optional<int64_t> ProducerState::first_unstable_offset() const {
  if (open_.empty() && ended_.empty()) return std::nullopt;
  if (open_.empty()) return ended_.begin()->first;
  if (ended_.empty()) return open_.begin()->first;
  return std::min(open_.begin()->first, ended_.begin()->first);
}

void ProducerState::high_watermark_moved(int64_t high_watermark) {
  for (auto it = ended_.begin(); it != ended_.end() && it->first < high_watermark;) {
    it = it->second < high_watermark ? ended_.erase(it) : std::next(it);
  }
}

bool ProducerState::has_open_transaction(int64_t producer_id, int16_t epoch) const {
  const Producer* producer = find(producer_id);
  return producer && producer->epoch == epoch && producer->transaction_first_offset >= 0;
}

void ProducerState::expire(int64_t now_ms, int64_t expiration_ms) {
  boost::unordered::erase_if(producers_, [&](const auto& held) {
    return held.second->transaction_first_offset < 0 && now_ms - held.second->last_timestamp >= expiration_ms;
  });
  boost::unordered::erase_if(verifications_, [&](const auto& held) { return now_ms - held.second.begun_ms >= expiration_ms; });
}

void ProducerState::clear() {
  producers_.clear();
  open_.clear();
  ended_.clear();
  verifications_.clear();
}

std::vector<int64_t> ProducerState::forgetful(int64_t offset) const {
  std::vector<int64_t> ids;
  for (const auto& [id, producer] : producers_) {
    if (producer->batch_count == 0 || producer->batch_count == Producer::batches_max) continue;
    const BatchMetadata& oldest = producer->batches[0];
    if (oldest.first_sequence() != 0 && oldest.first_offset() > offset) ids.push_back(id);
  }
  return ids;
}

void ProducerState::recall(const Producer& earlier) {
  const auto found = producers_.find(earlier.id);
  if (found == producers_.end() || found->second->epoch != earlier.epoch || found->second->batch_count == 0) return;
  Producer& producer = *found->second;
  for (size_t i = earlier.batch_count; i-- > 0 && producer.batch_count < Producer::batches_max;) {
    if (earlier.batches[i].last_offset >= producer.batches[0].first_offset()) continue;
    std::copy_backward(producer.batches, producer.batches + producer.batch_count, producer.batches + producer.batch_count + 1);
    producer.batches[0] = earlier.batches[i];
    ++producer.batch_count;
  }
}

std::vector<Producer> ProducerState::all() const {
  std::vector<Producer> producers;
  producers.reserve(producers_.size());
  for (const auto& [id, producer] : producers_) producers.push_back(*producer);
  std::sort(producers.begin(), producers.end(), [](const Producer& a, const Producer& b) { return a.id < b.id; });
  return producers;
}

std::vector<std::byte> ProducerState::encode_snapshot() const {
  ProducerSnapshot snapshot;
  for (const Producer& producer : all()) {
    const BatchMetadata last = producer.batch_count > 0 ? *producer.last_batch() : BatchMetadata{};
    auto& entry = snapshot.producer_entries.emplace_back();
    entry.producer_id = producer.id;
    entry.epoch = producer.epoch;
    entry.last_sequence = last.last_sequence;
    entry.last_offset = last.last_offset;
    entry.offset_delta = last.offset_delta;
    entry.timestamp = producer.last_timestamp;
    entry.coordinator_epoch = producer.coordinator_epoch;
    entry.current_txn_first_offset = producer.transaction_first_offset;
  }
  std::vector<std::byte> file(sizeof snapshot_version);
  store_be(file.data(), snapshot_version);
  KQ_CHECK(encode(snapshot, snapshot_version, file));
  store_be(file.data() + snapshot_crc_at, crc32c(Bytes{file}.subspan(snapshot_covered_from)));
  return file;
}

Result<std::vector<Producer>> ProducerState::decode_snapshot(Bytes file) {
  if (file.size() < snapshot_covered_from || load_be<int16_t>(file.data()) != snapshot_version) {
    return Error{own_code::data, "a producer snapshot is not of version 1"};
  }
  if (load_be<uint32_t>(file.data() + snapshot_crc_at) != crc32c(file.subspan(snapshot_covered_from))) {
    return Error{own_code::data, "a producer snapshot's check sum is wrong"};
  }
  const auto snapshot = decode<ProducerSnapshot>(file.subspan(snapshot_crc_at), snapshot_version);
  if (!snapshot) return Error{own_code::data, "a producer snapshot ends too soon"};
  std::vector<Producer> producers;
  producers.reserve(snapshot->producer_entries.size());
  for (const auto& entry : snapshot->producer_entries) {
    Producer& producer = producers.emplace_back();
    producer.id = entry.producer_id;
    producer.epoch = entry.epoch;
    producer.coordinator_epoch = entry.coordinator_epoch;
    producer.last_timestamp = entry.timestamp;
    producer.transaction_first_offset = entry.current_txn_first_offset;
    if (entry.last_offset >= 0) {
      producer.batches[producer.batch_count++] = {entry.last_sequence, entry.offset_delta, entry.last_offset, entry.timestamp};
    }
  }
  return producers;
}

void ProducerState::load(const std::vector<Producer>& producers) {
  clear();
  for (const Producer& producer : producers) {
    if (producer.transaction_first_offset >= 0) open_[producer.transaction_first_offset] = producer.id;
    producers_[producer.id] = std::make_unique<Producer>(producer);
  }
}

}  // namespace kq::log
