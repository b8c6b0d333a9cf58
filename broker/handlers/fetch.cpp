// Fetch, key 1, v4-18.  v7: sessions (KIP-227).  v9: leader epochs.  v11: racks.  v12: flexible, divergence (KIP-595).
// v13: topic ids.  v15: replica state.  v16: leader's endpoints (KIP-951).  v18: the follower's high watermark.
#include <algorithm>

#include "broker/broker.hpp"
#include "broker/handlers/fetch_session.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/handlers/leader_hint.hpp"
#include "broker/partitions.hpp"

namespace kq::broker {
namespace {

constexpr uint32_t sent_from_file_bytes_min = 8 << 10;      // shorter slices are cheaper read than sent by a system call of their own
constexpr int16_t topic_ids_from = 13, leader_hints_from = 12, endpoints_from = 16;

// A member of the set with something to say.
struct Found {
  FetchedPartition* member;
  PartitionRead read;
  Code code;                                                // the read's, or why there was none
};

// One fetch, from its request to its response.
class Fetch {
 public:
  Fetch(Broker& broker, Call& call, const FetchRequest& request)
      : broker_(broker), call_(call), request_(request), by_id_(call.version >= topic_ids_from),
        deadline_(Clock::now() + std::clamp<Duration>(std::chrono::milliseconds(request.max_wait_ms), Duration::zero(),
                                                      std::chrono::milliseconds(broker.config.connections_max_idle_ms))) {}

  Fetch(const Fetch&) = delete;
  ~Fetch() {
    if (session_) broker_.fetch_sessions->release(*session_);
  }

  awaitable<FetchResponse> run();

 private:
  Code open_session();
  void ask_all();
  awaitable<void> pass();
  Code resolve(FetchedPartition&) const;
  PartitionRead read(FetchedPartition&, size_t bytes_max, bool whole_first_batch, bool hot_only) const;
  awaitable<bool> wait();
  bool enough() const;
  bool must_tell(const Found&) const;
  bool incremental() const { return session_ && request_.session_epoch > 0; }
  void answer(FetchResponse&);
  void fill(FetchResponse::PartitionData&, Found&, std::vector<FetchResponse::NodeEndpoint>&);
  Records give(const log::Slice&, Code&);

  Broker& broker_;
  Call& call_;
  const FetchRequest& request_;
  const bool by_id_;
  const Instant deadline_;
  std::shared_ptr<FetchSession> session_;
  FetchSet own_set_;                                        // of a fetch without a session
  FetchSet* set_ = &own_set_;
  std::vector<Found> found_;
  size_t bytes_ = 0;                                        // in found_
  size_t room_ = 0;                                         // for more
  std::vector<FetchedPartition*> starved_;                  // have records that did not fit
  bool urgent_ = false;                                     // in found_ is what nobody should wait with
  MutableBytes small_;                                      // room for short slices
};

// Which of Kafka's four kinds of fetch this is: new session, next in a session, last in a session, none.
Code Fetch::open_session() {
  constexpr int32_t first = 0, none = -1;
  const Instant now = Clock::now();
  if (request_.session_epoch == first || request_.session_epoch == none) {
    if (request_.session_id != 0) broker_.fetch_sessions->close(request_.session_id);
    size_t partitions = 0;
    for (const auto& topic : request_.topics) partitions += topic.partitions.size();
    if (request_.session_epoch == first) session_ = broker_.fetch_sessions->open(by_id_, partitions, now);
  } else {
    auto resumed = broker_.fetch_sessions->resume(request_.session_id, request_.session_epoch, by_id_, now);
    if (resumed.code != Code::none) return resumed.code;
    session_ = std::move(resumed.session);
  }
  if (session_) set_ = &session_->set;
  return Code::none;
}

void Fetch::ask_all() {
  const auto key = [this](const auto& topic, int32_t index) {
    return by_id_ ? FetchKey{topic.topic_id, {}, index} : FetchKey{{}, std::string(topic.topic), index};
  };
  for (const auto& topic : request_.forgotten_topics_data)
    for (const int32_t index : topic.partitions) set_->forget(key(topic, index));
  for (const auto& topic : request_.topics)
    for (const auto& partition : topic.partitions) set_->ask(key(topic, partition.partition), partition);
}

awaitable<FetchResponse> Fetch::run() {
  FetchResponse response;
  response.error_code = open_session();
  if (response.error_code != Code::none) co_return response;
  ask_all();
  if (session_) response.session_id = session_->id;
  co_await pass();
  while (!enough()) {
    const bool ready = co_await wait();
    if (!ready) break;
    for (const Found& found : found_) set_->ready_again(*found.member);
    found_.clear();
    co_await pass();
  }
  answer(response);
  if (!session_) co_return response;
  set_->watch_all();
  if (incremental() && set_->empty()) {                     // Kafka ends a session that follows nothing any more
    broker_.fetch_sessions->close(session_->id);
    response.session_id = 0;
  }
  co_return response;
}

// Looks at everything that is ready, in turn, as long as there is room in the answer.
awaitable<void> Fetch::pass() {
  bytes_ = 0;
  urgent_ = false;
  starved_.clear();
  room_ = static_cast<size_t>(std::clamp(request_.max_bytes, 0, broker_.config.fetch_max_bytes));
  set_->begin_pass();
  while (FetchedPartition* member = room_ > 0 || bytes_ == 0 || !incremental() ? set_->next_ready() : nullptr) {
    Found found{member, {}, resolve(*member)};
    if (found.code == Code::none && !member->partition->is_open()) found.code = co_await member->partition->opened(call_.loop);
    if (found.code == Code::none) {
      const size_t bytes_max = std::min(room_, static_cast<size_t>(std::max(member->asked.partition_max_bytes, 0)));
      found.read = read(*member, bytes_max, bytes_ == 0, true);
      if (found.read.cold) {
        const log::Slice cold = std::move(*found.read.cold);
        co_await broker_.env.io.run(call_.loop, [&cold] { (void)log::touch(cold); });      // an error shows again at the next read
        found.read = read(*member, bytes_max, bytes_ == 0, false);
      }
      found.code = found.read.code;
    }
    if (found.code == Code::not_leader_or_follower && member->partition) set_->lost(*member);
    if (found.read.no_room) starved_.push_back(member);
    if (!must_tell(found)) continue;
    bytes_ += found.read.slice.length;
    room_ -= std::min<size_t>(room_, found.read.slice.length);
    urgent_ |= found.code != Code::none || found.read.diverging;
    found_.push_back(std::move(found));
  }
  set_->end_pass();
}

// Finds the partition that a member means.
Code Fetch::resolve(FetchedPartition& member) const {
  if (request_.replica_id >= 0 || request_.replica_state.replica_id >= 0) {      // no follower is in any replica set of this broker
    return member.asked.current_leader_epoch >= 0 ? Code::unknown_leader_epoch : Code::not_leader_or_follower;
  }
  if (member.partition) return Code::none;
  const cluster::TopicImage* topic = by_id_ ? call_.image->topic(member.key.topic_id) : call_.image->topic(member.key.topic);
  if (!topic) return by_id_ ? Code::unknown_topic_id : Code::unknown_topic_or_partition;
  if (!topic->partition(member.key.index)) return Code::unknown_topic_or_partition;
  member.partition = broker_.partitions->find(topic->id, member.key.index);
  return member.partition ? Code::none : Code::not_leader_or_follower;
}

PartitionRead Fetch::read(FetchedPartition& member, size_t bytes_max, bool whole_first_batch, bool hot_only) const {
  PartitionRead read = member.partition->read({.offset = member.asked.fetch_offset,
                                               .bytes_max = bytes_max,
                                               .whole_first_batch = whole_first_batch,
                                               .hot_only = hot_only,
                                               .isolation = Isolation{request_.isolation_level},
                                               .current_leader_epoch = member.asked.current_leader_epoch,
                                               .last_fetched_epoch = member.asked.last_fetched_epoch});
  member.generation = read.generation;
  return read;
}

bool Fetch::must_tell(const Found& found) const {
  return !incremental() || found.code != Code::none || found.read.diverging || !found.read.slice.empty() ||
         found.read.high_watermark != found.member->told_high_watermark || found.read.log_start_offset != found.member->told_log_start;
}

bool Fetch::enough() const {
  return urgent_ || set_->empty() || static_cast<int64_t>(bytes_) >= request_.min_bytes || (room_ == 0 && bytes_ > 0) ||
         !starved_.empty() || Clock::now() >= deadline_;
}

// Until something is ready: true; false when it is time to answer with what there is.
awaitable<bool> Fetch::wait() {
  if (call_.cancelled) co_return false;
  set_->watch_all();
  auto waiter = std::make_shared<FetchWaiter>(call_.loop);
  if (!set_->await(waiter)) co_return true;
  call_.awaited = &waiter->signal;
  const bool woken = co_await call_.loop.wait_until(waiter->signal, deadline_);
  call_.awaited = nullptr;
  set_->stop_awaiting();
  co_return woken && !call_.cancelled;
}

void Fetch::answer(FetchResponse& response) {
  for (FetchedPartition* member : starved_) set_->ready_again(*member);
  for (Found& found : found_) {
    const FetchKey& key = found.member->key;
    auto* topic = response.responses.empty() ? nullptr : &response.responses.back();
    if (!topic || topic->topic_id != key.topic_id || topic->topic != key.topic) {
      topic = &response.responses.emplace_back();
      topic->topic_id = key.topic_id;
      topic->topic = by_id_ ? std::string_view{} : call_.keep(key.topic);
    }
    fill(topic->partitions.emplace_back(), found, response.node_endpoints);
    // What has given records has more, as a rule; what has failed is looked at each time.
    if (found.code != Code::none || !found.read.slice.empty()) set_->ready_again(*found.member);
  }
}

void Fetch::fill(FetchResponse::PartitionData& to, Found& found, std::vector<FetchResponse::NodeEndpoint>& endpoints) {
  FetchedPartition& member = *found.member;
  to.partition_index = member.key.index;
  if (request_.isolation_level == 0) to.aborted_transactions.reset();
  if (found.code == Code::none && !found.read.slice.empty()) to.records = give(found.read.slice, found.code);
  to.error_code = found.code;
  if (found.code != Code::none) {
    to.high_watermark = member.told_high_watermark = -1;
    if (!tells_leader(found.code) || call_.version < leader_hints_from) return;
    const cluster::TopicImage* topic = by_id_ ? call_.image->topic(member.key.topic_id) : call_.image->topic(member.key.topic);
    std::vector<FetchResponse::NodeEndpoint> unheard;
    add_leader_hint(call_, topic ? topic->partition(member.key.index) : nullptr, to.current_leader,
                    call_.version >= endpoints_from ? endpoints : unheard);
    return;
  }
  to.high_watermark = member.told_high_watermark = found.read.high_watermark;
  to.log_start_offset = member.told_log_start = found.read.log_start_offset;
  to.last_stable_offset = found.read.last_stable_offset;
  if (found.read.diverging) to.diverging_epoch = {found.read.diverging->epoch, found.read.diverging->end_offset};
  for (const log::AbortedTransaction& aborted : found.read.aborted)
    to.aborted_transactions->push_back({aborted.producer_id, aborted.first_offset});
}

// A long slice goes from file to socket; a short one is read.
Records Fetch::give(const log::Slice& slice, Code& code) {
  Records records;
  const auto size = static_cast<uint32_t>(slice.length);
  if (size >= sent_from_file_bytes_min) {
    records.external_size = size;
    records.external_id = static_cast<uint32_t>(call_.slices.size());
    call_.slices.push_back({slice.file, slice.position, size});
    return records;
  }
  if (small_.size() < size) small_ = call_.keep(call_.loop.buffers().borrow(sent_from_file_bytes_min));
  const auto got = slice.file->read_at(slice.position, small_.first(size));
  if (!got || *got != size) {
    broker_.env.log.error("fetch", got ? "a segment is shorter than it was" : got.error().message());
    code = Code::kafka_storage_error;
    return records;
  }
  records.bytes = small_.first(size);
  small_ = small_.subspan(size);
  return records;
}

}  // namespace

awaitable<FetchResponse> handle(Broker& broker, Call& call, const FetchRequest& request) {
  Fetch fetch(broker, call, request);
  auto response = co_await fetch.run();
  co_return response;
}

}  // namespace kq::broker
