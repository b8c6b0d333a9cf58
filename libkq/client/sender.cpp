#include "libkq/client/sender.hpp"

#include <algorithm>

#include "libkq/record/batch_reader.hpp"

namespace kq::client {
namespace {

constexpr int16_t epoch_max = 32767;
constexpr size_t request_overhead = 256;               // header and the fields around the batches, roughly
constexpr size_t batch_overhead_in_request = 64;       // a partition's fields, and its share of a topic's
constexpr uint64_t serial_step = uint64_t{1} << 20;    // leaves room for the parts that a batch is split into

// The leader has written these, or perhaps has.
bool may_be_written(Code code) {
  return code == Code::not_enough_replicas_after_append || code == Code::request_timed_out || code == Code::network_exception;
}

}  // namespace

Sender::Sender(const SenderOptions& options) : options_(options), random_(options.seed) {}

std::span<const Sender::Action> Sender::step(Instant now, const Event& event) {
  now_ = now;
  actions_.clear();
  refresh_told_ = false;
  std::visit([this](const auto& each) { on(each); }, event);
  expire();
  wake_sleepers();
  ask_for_producer_id();
  drain();
  return actions_;
}

std::optional<Instant> Sender::deadline() const {
  Instant next = Instant::max();
  if (!by_age_.empty()) next = by_age_.front().opened + options_.delivery_timeout;
  for (const Lane* lane : sleepers_) next = std::min(next, lane->not_before);
  if (!awaiting_id_.empty() && !asking_) next = std::min(next, ask_not_before_);
  if (next == Instant::max()) return std::nullopt;
  return next;
}

// ---- events -----------------------------------------------------------------------------------------------------------------

void Sender::on(const Ready& event) {
  for (const BatchRef& batch : event.batches) {
    Lane& lane = *batch->lane;
    batch->serial = lane.next_serial += serial_step;
    batch->serial_span = serial_step;
    lane.waiting.push_back(batch);
    note_queue(lane);
    // Batches of several partitions come nearly in the order of their age.
    auto place = by_age_.end();
    while (place != by_age_.begin() && std::prev(place)->opened > batch->opened) --place;
    by_age_.insert(place, *batch);
    if (lane.leader < 0) refresh();
    list(lane);
  }
}

void Sender::on(const LeaderIs& event) {
  Lane& lane = *event.lane;
  const bool moved = event.leader >= 0 && (event.leader != lane.leader || event.leader_epoch > lane.leader_epoch);
  if (lane.listed && event.leader != lane.leader) {
    std::erase(nodes_[lane.leader].ready, &lane);
    lane.listed = false;
  }
  lane.leader = event.leader;
  lane.leader_epoch = event.leader_epoch;
  lane.leader_load.store(lane.leader < 0 ? nullptr : &nodes_[lane.leader].load, std::memory_order_release);
  if (moved) lane.not_before = {};                     // what was refused by the old leader need not wait (KIP-951)
  if (lane.leader < 0 && !lane.waiting.empty()) refresh();
  list(lane);
}

void Sender::on(const NodeUp& event) {
  Node& node = nodes_[event.node];
  node.up = true;
  node.connecting = false;
  node.failure.reset();
}

void Sender::on(const NodeDown& event) {
  Node& node = nodes_[event.node];
  node.up = node.connecting = false;
  node.failure = event.why;
}

void Sender::on(const Answered& event) {
  auto request = retire(event.request);
  if (!request) return;
  std::vector<BatchRef> open = request->batches;
  for (const auto& topic : event.response->responses) {
    for (const auto& partition : topic.partition_responses) {
      const auto found = std::find_if(open.begin(), open.end(), [&](const BatchRef& batch) {
        if (!batch || batch->partition != partition.index) return false;
        return topic.name == *batch->topic || (!topic.topic_id.is_zero() && topic.topic_id == batch->lane->topic_id);
      });
      if (found != open.end()) settle(*request, std::exchange(*found, nullptr), partition);
    }
  }
  for (const BatchRef& batch : open) {
    if (!batch) continue;
    batch->outcome_unknown = true;
    come_back(batch, {own_code::protocol, broker(request->node) + " answered without a word on the partition", Verdict::retry}, true);
  }
}

void Sender::on(const Written& event) {
  if (auto request = retire(event.request))
    for (const BatchRef& batch : request->batches) delivered(batch, -1, -1);
}

void Sender::on(const Failed& event) {
  auto request = retire(event.request);
  if (!request) return;
  for (const BatchRef& batch : request->batches) {
    batch->outcome_unknown = true;
    come_back(batch, event.why, true);
  }
}

void Sender::on(const ProducerIdIs& event) {
  asking_ = false;
  id_failures_ = 0;
  id_failure_.reset();
  producer_id_ = event.id;
  producer_epoch_ = event.epoch;
  for (Lane* lane : std::exchange(awaiting_id_, {})) {
    lane->awaits_id = false;
    list(*lane);
  }
}

void Sender::on(const NoProducerId& event) {
  asking_ = false;
  id_failure_ = event.why;
  ask_not_before_ = now_ + options_.retry.after(++id_failures_, random_);
  if (event.why.verdict() == Verdict::retry) return;
  for (Lane* lane : std::exchange(awaiting_id_, {})) {
    lane->awaits_id = false;
    for (const BatchRef& batch : std::deque<BatchRef>(lane->waiting)) give_up(batch, event.why);
  }
}

void Sender::on(const Abandon& event) {
  while (!by_age_.empty()) {
    ProducerBatch& batch = by_age_.front();
    Lane& lane = *batch.lane;
    const auto in = [&](const std::deque<BatchRef>& queue) {
      const auto found = std::find_if(queue.begin(), queue.end(), [&](const BatchRef& each) { return each.get() == &batch; });
      return found == queue.end() ? BatchRef() : *found;
    };
    BatchRef held = in(lane.waiting);
    if (!held) held = in(lane.in_flight);
    give_up(held, event.why);
  }
}

// Those of the last one are to be added again.
void Sender::on(const Begin& event) {
  dropping_.reset();
  partitions_join_ = event.partitions_join;
  for (Lane* lane : std::exchange(joining_, {})) lane->joins = lane->joined = false;
}

void Sender::on(const Joined& event) {
  for (Lane* lane : event.lanes) {
    lane->joined = true;
    list(*lane);
  }
}

void Sender::on(const Drop& event) {
  if (event.until_begin) dropping_ = event.why;
  std::vector<BatchRef> dropped;
  for (ProducerBatch& batch : by_age_) {
    if (batch.in_flight) continue;
    const auto& waiting = batch.lane->waiting;
    dropped.push_back(*std::find_if(waiting.begin(), waiting.end(), [&](const BatchRef& each) { return each.get() == &batch; }));
  }
  for (const BatchRef& batch : dropped)
    if (!batch->finished) give_up(batch, event.why);
}

// ---- sending ----------------------------------------------------------------------------------------------------------------

void Sender::list(Lane& lane) {
  if (lane.listed || lane.waiting.empty() || lane.leader < 0) return;
  nodes_[lane.leader].ready.push_back(&lane);
  lane.listed = true;
}

void Sender::wake_sleepers() {
  std::erase_if(sleepers_, [this](Lane* lane) {
    if (lane->not_before > now_) return false;
    lane->asleep = false;
    list(*lane);
    return true;
  });
}

void Sender::ask_for_producer_id() {
  if (!options_.idempotence || options_.transactional || producer_id_ >= 0 || asking_ || now_ < ask_not_before_) return;
  asking_ = true;
  actions_.push_back(AskProducerId{});
}

void Sender::refresh() {
  if (!std::exchange(refresh_told_, true)) actions_.push_back(Refresh{});
}

void Sender::drain() {
  for (auto& [id, node] : nodes_) {
    const bool takes = node.ready.empty() || (node.up && node.load.in_flight < options_.in_flight_max);
    note_waiting(node.load, !takes);
    if (!node.ready.empty()) drain_node(id, node);
  }
}

void Sender::note_waiting(NodeLoad& load, bool waits) const {
  const bool waited = load.waiting_since.load(std::memory_order_relaxed) != NodeLoad::nothing_waits;
  if (waits != waited) load.waiting_since.store(waits ? now_ : NodeLoad::nothing_waits, std::memory_order_relaxed);
}

void Sender::note_queue(Lane& lane) { lane.queued.store(static_cast<uint32_t>(lane.waiting.size()), std::memory_order_relaxed); }

void Sender::drain_node(int32_t id, Node& node) {
  if (!node.up) {
    if (!std::exchange(node.connecting, true)) actions_.push_back(Connect{id});
    return;
  }
  while (node.load.in_flight < options_.in_flight_max) {
    Request request{id, {}};
    if (!fill(request, node)) return;
    const uint64_t number = next_request_++;
    Request& kept = requests_.emplace(number, std::move(request)).first->second;
    ++node.load.in_flight;
    actions_.push_back(Produce{number, id, kept.batches, now_ + options_.request_timeout});
  }
}

// One batch of each ready lane, as many as a request may hold.  Lanes that have to wait leave the list; what they wait for lists
// them again.
bool Sender::fill(Request& request, Node& node) {
  size_t bytes = request_overhead;
  std::vector<Lane*> more;                             // for the next request
  for (size_t lanes = node.ready.size(); lanes > 0; --lanes) {
    Lane& lane = *node.ready.front();
    if (!may_send(lane)) {
      node.ready.pop_front();
      lane.listed = false;
      continue;
    }
    const size_t size = lane.waiting.front()->builder.size() + batch_overhead_in_request;
    if (!request.batches.empty() && bytes + size > options_.request_bytes_max) break;
    bytes += size;
    node.ready.pop_front();
    take_front(lane, request);
    if (lane.waiting.empty()) lane.listed = false;
    else more.push_back(&lane);
  }
  node.ready.insert(node.ready.end(), more.begin(), more.end());
  return !request.batches.empty();
}

bool Sender::may_send(Lane& lane) {
  if (lane.waiting.empty()) return false;
  if (now_ < lane.not_before) {
    if (!std::exchange(lane.asleep, true)) sleepers_.push_back(&lane);
    return false;
  }
  if (!lane.in_flight.empty() && (options_.in_flight_max == 1 || lane.in_flight_at != lane.leader)) return false;
  return !options_.idempotence || may_send_numbered(lane);
}

bool Sender::may_send_numbered(Lane& lane) {
  if (producer_id_ < 0) {
    if (!std::exchange(lane.awaits_id, true)) awaiting_id_.push_back(&lane);
    return false;
  }
  const ProducerBatch& front = *lane.waiting.front();
  for (const BatchRef& sent : lane.in_flight)
    if (sent->renumbered) return false;                // it will come back, and belongs before or behind what is waiting
  if (front.sequence != no_sequence) return lane.in_flight.empty() || front.serial < lane.in_flight.front()->serial;
  if (partitions_join_ && !lane.joined) {
    if (!std::exchange(lane.joins, true)) {
      joining_.push_back(&lane);
      actions_.push_back(Join{&lane});
    }
    return false;
  }
  const bool current = lane.producer_id == producer_id_ && lane.producer_epoch == producer_epoch_;
  if (lane.unresolved && (current || !options_.transactional)) return false;
  if (current) return lane.in_flight.empty() || lane.known_as == producer_id_;
  if (!lane.in_flight.empty()) return false;           // the old numbering is still to be settled
  lane.unresolved = false;
  lane.producer_id = producer_id_;
  lane.producer_epoch = producer_epoch_;
  lane.next_sequence = 0;
  lane.last_acked_sequence = -1;
  return true;
}

void Sender::take_front(Lane& lane, Request& request) {
  BatchRef batch = std::move(lane.waiting.front());
  lane.waiting.pop_front();
  note_queue(lane);
  if (options_.idempotence && batch->sequence == no_sequence) {
    batch->producer_id = lane.producer_id;
    batch->producer_epoch = lane.producer_epoch;
    batch->sequence = lane.next_sequence;
    lane.next_sequence = sequence_plus(lane.next_sequence, batch->count());
  }
  batch->renumbered = false;
  batch->in_flight = true;
  ++batch->attempts;
  BatchFields fields;
  fields.producer_id = batch->producer_id;
  fields.producer_epoch = batch->producer_epoch;
  fields.base_sequence = batch->sequence;
  fields.transactional = options_.transactional;
  batch->seal(fields, options_.codec, options_.level, compressor_, scratch_);
  lane.in_flight_at = lane.leader;
  insert_by_serial(lane.in_flight, batch);
  request.batches.push_back(std::move(batch));
}

// ---- answers ----------------------------------------------------------------------------------------------------------------

std::optional<Sender::Request> Sender::retire(uint64_t number) {
  const auto found = requests_.find(number);
  if (found == requests_.end()) return std::nullopt;
  Request request = std::move(found->second);
  requests_.erase(found);
  --nodes_[request.node].load.in_flight;
  for (const BatchRef& batch : request.batches) {
    batch->in_flight = false;
    leave(batch->lane->in_flight, batch.get());
  }
  return request;
}

void Sender::settle(const Request& request, const BatchRef& batch, const ProduceResponse::PartitionProduceResponse& answer) {
  // Already written by an attempt whose answer was lost, so long ago that its offset is forgotten: delivered all the same.
  if (answer.error_code == Code::duplicate_sequence_number) return delivered(batch, -1, -1);
  if (answer.error_code == Code::none) return delivered(batch, answer.base_offset, answer.log_append_time_ms);
  refused(request, batch, answer);
}

void Sender::delivered(const BatchRef& batch, int64_t base_offset, int64_t log_append_time) {
  Lane& lane = *batch->lane;
  const bool own_numbering = batch->producer_id == lane.producer_id && batch->producer_epoch == lane.producer_epoch;
  if (batch->sequence != no_sequence) lane.known_as = batch->producer_id;
  if (batch->renumbered) start_over(lane);             // written under a number that is no longer counted
  else if (batch->sequence != no_sequence && own_numbering) lane.last_acked_sequence = sequence_plus(batch->sequence, batch->count() - 1);
  if (!batch->finished) {
    batch->base_offset = base_offset;
    batch->log_append_time = log_append_time;
    finish(batch);
  }
  resolve(lane);
  list(lane);
}

void Sender::refused(const Request& request, const BatchRef& batch, const ProduceResponse::PartitionProduceResponse& answer) {
  const Code code = answer.error_code;
  Lane& lane = *batch->lane;
  const bool helps = remedy_of(code) != Remedy::none;
  Error why = told(request, answer);
  if (may_be_written(code)) batch->outcome_unknown = true;

  if (answer.current_leader.leader_id >= 0 && answer.current_leader.leader_epoch > lane.leader_epoch) {
    come_back(batch, std::move(why), false);
    return on(LeaderIs{&lane, answer.current_leader.leader_id, answer.current_leader.leader_epoch});
  }
  if (remedy_of(code) == Remedy::refresh) refresh();
  if (options_.idempotence && broken_sequence(batch, code)) return come_back(batch, std::move(why), true);
  if (code == Code::message_too_large && batch->count() > 1 && !batch->finished) return split(batch);
  if (helps) return come_back(batch, std::move(why), true);
  for (const auto& each : answer.record_errors) {
    std::string cause = why.message();
    if (each.batch_index_error_message) cause += ": " + std::string(*each.batch_index_error_message);
    batch->record_errors.push_back({each.batch_index, Error(why.code(), std::move(cause))});
  }
  not_written(batch, std::move(why));
}

Error Sender::told(const Request& request, const ProduceResponse::PartitionProduceResponse& answer) const {
  const Code code = answer.error_code;
  std::string text = broker(request.node) + ": " + name_of(code) + ", " + meaning_of(code);
  if (answer.error_message) text += " (" + std::string(*answer.error_message) + ")";
  return {static_cast<int32_t>(code), std::move(text), remedy_of(code) == Remedy::none ? Verdict::refused : Verdict::retry};
}

// Whether the batch is to be sent again because broker and lane do not agree on its number.  Where nothing is left before it that
// could explain the gap, the broker's memory is not ours: the epoch is raised and the lane counts from 0 again (KIP-360).
bool Sender::broken_sequence(const BatchRef& batch, Code code) {
  Lane& lane = *batch->lane;
  const bool fenced = code == Code::invalid_producer_epoch && !batch->outcome_unknown;
  if (code != Code::out_of_order_sequence_number && code != Code::unknown_producer_id && !fenced) return false;
  if (batch->renumbered || batch->finished) return true;
  const auto earlier = [&](const BatchRef& each) { return each->sequence != no_sequence && each->serial < batch->serial; };
  const bool explained = std::any_of(lane.in_flight.begin(), lane.in_flight.end(), earlier) ||
                         std::any_of(lane.waiting.begin(), lane.waiting.end(), earlier);
  if (!explained) {
    if (options_.transactional) return false;          // it cannot be committed any more
    batch->sequence = no_sequence;
    start_over(lane);
  }
  return true;
}

// Back into its place, to be sent again.
void Sender::come_back(const BatchRef& batch, Error why, bool back_off) {
  Lane& lane = *batch->lane;
  if (batch->renumbered) batch->sequence = no_sequence;
  if (batch->finished) {
    resolve(lane);
    return list(lane);
  }
  if (dropping_) return give_up(batch, *dropping_);
  if (batch->attempts > options_.retries) return give_up(batch, std::move(why));
  batch->last_error = std::move(why);
  insert_by_serial(lane.waiting, batch);
  note_queue(lane);
  if (back_off && lane.waiting.front() == batch) lane.not_before = now_ + options_.retry.after(batch->attempts, random_);
  list(lane);
}

// Refused for good: its number is free again, and what was numbered behind it is numbered anew.
void Sender::not_written(const BatchRef& batch, Error why) {
  Lane& lane = *batch->lane;
  const bool own_numbering = batch->producer_id == lane.producer_id && batch->producer_epoch == lane.producer_epoch;
  if (batch->sequence != no_sequence && !batch->renumbered && own_numbering && !batch->finished) {
    strip_after(lane, batch->serial);
    lane.next_sequence = batch->sequence;
    batch->sequence = no_sequence;
  }
  if (!batch->finished) {
    batch->error = std::move(why);
    finish(batch);
  }
  resolve(lane);
  list(lane);
}

// Too large for the broker as a whole: two halves, each with its share of the records.
void Sender::split(const BatchRef& batch) {
  Lane& lane = *batch->lane;
  BatchReader reader;
  Block plain;
  const auto broken = [&](const Status& status) { not_written(batch, status.error()); };
  if (Status opened = reader.open(BatchView(batch->readable()), plain); !opened) return broken(opened);
  if (batch->sequence != no_sequence && !batch->renumbered) {
    strip_after(lane, batch->serial);
    lane.next_sequence = batch->sequence;
  }
  const int32_t half = batch->count() / 2;
  BatchRef parts[2];
  for (int i = 0; i < 2; ++i) {
    // A record may take a few bytes more in its new place than in its old one, at most what the bound allows for.
    const size_t bytes = batch->builder.size() + BatchBuilder::batch_bytes_max(0, 0);
    parts[i] = std::make_shared<ProducerBatch>(batch->memory, batch->memory->blocks.take(bytes), bytes, batch->opened);
    parts[i]->generation = batch->generation;
    parts[i]->topic = batch->topic;
    parts[i]->partition = batch->partition;
    parts[i]->lane = &lane;
    parts[i]->attempts = batch->attempts;
    parts[i]->serial_span = batch->serial_span / 2;
    parts[i]->serial = batch->serial + static_cast<uint64_t>(i) * (batch->serial_span / 2);
  }
  std::vector<RecordHeader> headers;
  int32_t index = 0;
  for (RecordView record; reader.next(record); ++index) {
    ProducerBatch& part = *parts[index >= half];
    headers.clear();
    for (const RecordHeader& header : record.headers) headers.push_back(header);
    part.notes.add(part.count(), batch->notes.tag(index), record.timestamp);
    KQ_CHECK(part.builder.append(record.timestamp, record.key, record.value, headers));
  }
  if (const Status read = reader.status(); !read) return broken(read);
  const auto place = by_age_.iterator_to(*batch);
  for (const BatchRef& part : parts) {
    by_age_.insert(place, *part);
    insert_by_serial(lane.waiting, part);
  }
  note_queue(lane);
  by_age_.erase(place);
  batch->finished = true;                              // its records live on in the parts
  actions_.push_back(Split{batch});
  list(lane);
}

// ---- numbering --------------------------------------------------------------------------------------------------------------

// Takes the numbers off all batches behind `serial`.  Those in flight come back as refused, since they leave a gap now.
void Sender::strip_after(Lane& lane, uint64_t serial) {
  for (const BatchRef& each : lane.waiting)
    if (each->serial > serial) each->sequence = no_sequence;
  for (const BatchRef& each : lane.in_flight)
    if (each->serial > serial) each->renumbered = true;
}

// Raises the epoch; the lane counts from 0 as soon as nothing of the old numbering is in flight.  Other lanes go on with theirs until
// they are settled.
void Sender::start_over(Lane& lane) {
  if (options_.transactional) return void(lane.unresolved = true);   // until the next transaction's numbers
  strip_after(lane, 0);
  lane.known_as = no_producer_id;
  lane.unresolved = false;
  const bool newer_already = lane.producer_id != producer_id_ || lane.producer_epoch != producer_epoch_;
  lane.producer_id = no_producer_id;
  if (newer_already || producer_id_ < 0) return;
  if (producer_epoch_ == epoch_max) producer_id_ = no_producer_id;
  else ++producer_epoch_;
}

// A batch was given up without an answer.  Once everything numbered behind it is settled, it is known whether it was written: only then
// did its successors pass.
void Sender::resolve(Lane& lane) {
  if (!lane.unresolved || !lane.settled()) return;
  if (sequence_plus(lane.last_acked_sequence, 1) == lane.next_sequence) lane.unresolved = false;
  else start_over(lane);
}

// ---- ends -------------------------------------------------------------------------------------------------------------------

void Sender::expire() {
  while (!by_age_.empty() && by_age_.front().opened + options_.delivery_timeout <= now_) {
    ProducerBatch& oldest = by_age_.front();
    const auto& queue = oldest.in_flight ? oldest.lane->in_flight : oldest.lane->waiting;
    const auto found = std::find_if(queue.begin(), queue.end(), [&](const BatchRef& each) { return each.get() == &oldest; });
    KQ_CHECK(found != queue.end());
    const BatchRef held = *found;
    give_up(held, too_late(oldest));
  }
}

// Without an answer that settles it.  A batch in flight stays there, as its request still has its bytes.
void Sender::give_up(const BatchRef& batch, Error why) {
  Lane& lane = *batch->lane;
  if (!batch->in_flight) leave(lane.waiting, batch.get());
  note_queue(lane);
  if (batch->sequence != no_sequence && !batch->renumbered) {
    if (!batch->outcome_unknown && !batch->in_flight) return not_written(batch, std::move(why));
    lane.unresolved = true;
  }
  batch->error = std::move(why);
  finish(batch);
  resolve(lane);
  list(lane);
}

void Sender::finish(const BatchRef& batch) {
  batch->finished = true;
  by_age_.erase(by_age_.iterator_to(*batch));
  actions_.push_back(Finished{batch});
}

Error Sender::too_late(const ProducerBatch& batch) const {
  const Lane& lane = *batch.lane;
  std::string text = "not delivered within delivery.timeout.ms=" + std::to_string(to_ms(options_.delivery_timeout));
  int32_t code = own_code::timed_out;
  const auto node = nodes_.find(lane.leader);
  const auto tell = [&](const Error& error) { text += ": " + error.message(), code = error.code(); };
  if (batch.last_error) text += ", " + std::to_string(batch.attempts) + " attempts; the last", tell(*batch.last_error);
  else if (batch.in_flight) text += ": " + broker(lane.leader) + " has not answered";
  else if (lane.leader < 0) text += ": the partition has no leader";
  else if (node != nodes_.end() && node->second.failure) tell(*node->second.failure);
  else if (options_.idempotence && producer_id_ < 0) id_failure_ ? tell(*id_failure_) : void(text += ": no producer id was given");
  return {code, std::move(text), Verdict::retry};
}

void Sender::insert_by_serial(std::deque<BatchRef>& queue, const BatchRef& batch) {
  auto place = queue.end();
  if (!queue.empty() && queue.front()->serial > batch->serial) place = queue.begin();
  else
    while (place != queue.begin() && (*std::prev(place))->serial > batch->serial) --place;
  queue.insert(place, batch);
}

void Sender::leave(std::deque<BatchRef>& queue, const ProducerBatch* batch) {
  const auto found = std::find_if(queue.begin(), queue.end(), [&](const BatchRef& each) { return each.get() == batch; });
  if (found != queue.end()) queue.erase(found);
}

std::string Sender::broker(int32_t node) const { return "broker " + std::to_string(node); }

}  // namespace kq::client
