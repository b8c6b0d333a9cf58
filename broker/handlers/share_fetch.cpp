// ShareFetch, key 78, v1-2 (KIP-932).  v2: how exactly max_records holds (KIP-1206), and locks can be renewed (KIP-1222).
#include "broker/share/share_fetch.hpp"

#include <algorithm>

#include "broker/handlers/handlers.hpp"
#include "broker/handlers/leader_hint.hpp"
#include "broker/handlers/share_request.hpp"
#include "broker/partitions.hpp"

namespace kq::broker {
namespace {

using share::Held;
using share::Refusal;
using share::Taken;
using share::TopicPartition;

constexpr uint32_t sent_from_file_bytes_min = 8 << 10;  // shorter slices are cheaper read than sent by a system call of their own

// Of one partition that is fetched.
struct Found {
  TopicPartition partition;
  Refusal refusal;
  std::shared_ptr<Held> held;
  log::Slice slice;
  std::vector<share::Acquired> acquired;
  uint64_t generation = 0;
  int64_t next_offset = 0;  // that a fetch begins at, when it was looked at last
};

// Notes a partition's change for a fetch that waits.
class Watch final : public PartitionWatch {
 public:
  Watch(std::shared_ptr<Partition> partition, std::shared_ptr<share::FetchWaiter> waiter, uint64_t generation)
      : partition_(std::move(partition)), waiter_(std::move(waiter)) {
    partition_->watch(*this, generation);
  }
  ~Watch() { partition_->unwatch(*this); }
  Watch(const Watch&) = delete;
  void changed() override { waiter_->wake(waiter_); }

 private:
  const std::shared_ptr<Partition> partition_;
  const std::shared_ptr<share::FetchWaiter> waiter_;
};

// One share fetch, from its request to its response.
class ShareFetch {
 public:
  ShareFetch(Broker& broker, Call& call, const ShareFetchRequest& request)
      : broker_(broker),
        call_(call),
        request_(request),
        member_{std::string(*request.group_id), std::string(*request.member_id)},
        settings_(share::GroupSettings::of(broker.config, *call.image, member_.group)),
        deadline_(Clock::now() +
                  std::chrono::milliseconds(std::clamp(request.max_wait_ms, 0, broker.config.request_timeout_ms))) {}

  awaitable<ShareFetchResponse> run();

 private:
  share::ShareSessions::Ask ask() const;
  awaitable<void> look_up();
  awaitable<void> fetch();
  awaitable<bool> enough();
  awaitable<void> pass();
  awaitable<void> take(Found&);
  awaitable<void> wait();
  bool something() const {
    return std::ranges::any_of(found_, [](const Found& f) { return f.refusal.code != Code::none || !f.acquired.empty(); });
  }
  void note_lock_end(const std::optional<Instant>& end) {
    if (end) next_lock_end_ = next_lock_end_ ? std::min(*next_lock_end_, *end) : *end;
  }
  void answer(ShareFetchResponse&, const std::vector<AckResult>&);
  void fill(ShareFetchResponse::PartitionData&, Found&, ShareFetchResponse&);
  Records give(const log::Slice&, Code&);

  Broker& broker_;
  Call& call_;
  const ShareFetchRequest& request_;
  const share::Member member_;
  const share::GroupSettings settings_;
  const Instant deadline_;
  share::ShareSessions::Fetch session_;
  std::vector<Found> found_;
  std::optional<Instant> next_lock_end_;
  size_t room_ = 0;  // bytes, and
  int32_t records_left_ = 0;
};

share::ShareSessions::Ask ShareFetch::ask() const {
  share::ShareSessions::Ask ask{.epoch = request_.share_session_epoch, .add = {}, .forget = {}, .connection = call_.session.id};
  for (const auto& topic : request_.topics)
    for (const auto& partition : topic.partitions) {
      ask.add.push_back({topic.topic_id, partition.partition_index});
      ask.acknowledges |= !partition.acknowledgement_batches.empty();
    }
  for (const auto& topic : request_.forgotten_topics_data)
    for (const int32_t index : topic.partitions) ask.forget.push_back({topic.topic_id, index});
  return ask;
}

awaitable<ShareFetchResponse> ShareFetch::run() {
  ShareFetchResponse response;
  const auto asked = ask();
  session_ = broker_.share_partitions->sessions().fetch(member_, asked);
  if (session_.code != Code::none) {
    response.error_code = session_.code;
    response.error_message = name_of(session_.code);
    co_return response;
  }
  broker_.share_partitions->follow(call_);
  response.acquisition_lock_timeout_ms =
      static_cast<int32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(settings_.record_lock).count());
  const PartitionAcks acks = acknowledgements_of(request_);
  const auto results = co_await acknowledge_all(broker_, call_, member_, acks, request_.is_renew_ack);
  if (request_.share_session_epoch == share::ShareSessions::final_epoch) {
    co_await broker_.share_partitions->end_session(call_.loop, member_);
  } else if (!request_.is_renew_ack) {
    co_await look_up();
    if (results.empty())
      co_await fetch();
    else
      co_await pass();
  }
  answer(response, results);
  co_return response;
}

// As with a fetch, min_bytes count until max_wait has passed; then what is there is enough.
awaitable<void> ShareFetch::fetch() {
  while (!found_.empty() && !call_.cancelled) {
    const bool late = Clock::now() >= deadline_;
    bool look = late || request_.min_bytes <= 1;
    if (!look) look = co_await enough();
    if (look) co_await pass();
    if (late || something()) co_return;
    co_await wait();
  }
}

awaitable<bool> ShareFetch::enough() {
  const auto bytes_max = static_cast<size_t>(std::clamp(request_.max_bytes, 0, broker_.config.fetch_max_bytes));
  size_t bytes = 0;
  bool urgent = false;
  next_lock_end_.reset();
  for (Found& found : found_) {
    if (!found.held) {
      urgent = true;
      continue;
    }
    std::vector<share::SharePartition::Change> changes;
    const share::Waiting waiting = share::waiting(*found.held, settings_.isolation, bytes_max, Clock::now(), changes);
    for (auto& change : changes) co_await broker_.share_partitions->write(call_.loop, found.held, std::move(change));
    found.generation = waiting.generation;
    found.next_offset = waiting.next_offset;
    note_lock_end(waiting.next);
    bytes += waiting.bytes;
    urgent |= waiting.urgent;
  }
  co_return urgent || bytes >= static_cast<size_t>(request_.min_bytes);
}

awaitable<void> ShareFetch::look_up() {
  for (const TopicPartition& partition : session_.partitions) {
    Found found{.partition = partition, .refusal = {}, .held = nullptr, .slice = {}, .acquired = {}};
    const cluster::TopicImage* topic = call_.image->topic(partition.topic_id);
    if (!topic) {
      found.refusal.code = Code::unknown_topic_id;
    } else if (!topic->partition(partition.partition)) {
      found.refusal.code = Code::unknown_topic_or_partition;
    } else {
      const share::Key key{member_.group, partition.topic_id, partition.partition};
      auto loaded = co_await broker_.share_partitions->find(call_, key);
      found.refusal = loaded.refusal;
      if (loaded.refusal.code == Code::none) found.held = std::move(loaded.held);
    }
    found_.push_back(std::move(found));
  }
}

awaitable<void> ShareFetch::pass() {
  room_ = static_cast<size_t>(std::clamp(request_.max_bytes, 0, broker_.config.fetch_max_bytes));
  records_left_ = request_.max_records;
  next_lock_end_.reset();
  bool any = false;
  for (Found& found : found_) {
    if (!found.held || (any && (room_ == 0 || records_left_ <= 0))) continue;
    co_await take(found);
    int64_t count = 0;
    for (const auto& acquired : found.acquired) count += acquired.last - acquired.first + 1;
    any |= count > 0;
    room_ -= std::min<size_t>(room_, found.slice.length);
    records_left_ -= static_cast<int32_t>(std::min<int64_t>(count, records_left_));
  }
}

awaitable<void> ShareFetch::take(Found& found) {
  share::Take asked{.member = member_.id,
                    .mode = share::AcquireMode{request_.share_acquire_mode},
                    .batch_size = request_.batch_size,
                    .records_max = records_left_,
                    .bytes_max = room_,
                    .settings = settings_};
  Taken taken = share::take(*found.held, asked, Clock::now());
  if (taken.cold && taken.acquired.empty()) {
    const log::Slice cold = std::move(*taken.cold);
    co_await broker_.env.io.run(call_.loop, [&cold] { (void)log::touch(cold); });  // an error shows again at the next read
    asked.hot_only = false;
    auto changes = std::move(taken.changes);
    taken = share::take(*found.held, asked, Clock::now());
    taken.changes.insert(taken.changes.begin(), std::make_move_iterator(changes.begin()), std::make_move_iterator(changes.end()));
  }
  for (auto& change : taken.changes) co_await broker_.share_partitions->write(call_.loop, found.held, std::move(change));
  found.refusal = taken.refusal;
  found.slice = std::move(taken.slice);
  found.acquired = std::move(taken.acquired);
  found.generation = taken.generation;
  found.next_offset = taken.next_offset;
  note_lock_end(taken.next);
}

// Until there are new records, something was given back, a lock has ended, or it is time to answer.
awaitable<void> ShareFetch::wait() {
  auto waiter = std::make_shared<share::FetchWaiter>(call_.loop);
  std::vector<std::unique_ptr<Watch>> watches;
  for (const Found& found : found_) {
    if (!found.held) continue;
    watches.push_back(std::make_unique<Watch>(found.held->partition, waiter, found.generation));
    std::lock_guard lock(found.held->mutex);
    std::erase_if(found.held->waiters, [](const auto& other) { return other.expired(); });
    found.held->waiters.push_back(waiter);
    // What was given back between the look and this moment.
    if (found.held->machine->next_fetch_offset() < found.next_offset) waiter->wake(waiter);
  }
  const Instant until = next_lock_end_ ? std::min(deadline_, *next_lock_end_) : deadline_;
  call_.awaited = &waiter->signal;
  (void)co_await call_.loop.wait_until(waiter->signal, until);
  call_.awaited = nullptr;
}

void ShareFetch::answer(ShareFetchResponse& response, const std::vector<AckResult>& acknowledged) {
  const auto at = [&response](const TopicPartition& partition) -> ShareFetchResponse::PartitionData& {
    auto topic =
        std::ranges::find(response.responses, partition.topic_id, &ShareFetchResponse::ShareFetchableTopicResponse::topic_id);
    if (topic == response.responses.end()) {
      response.responses.emplace_back().topic_id = partition.topic_id;
      topic = std::prev(response.responses.end());
    }
    auto found = std::ranges::find(topic->partitions, partition.partition, &ShareFetchResponse::PartitionData::partition_index);
    if (found != topic->partitions.end()) return *found;
    auto& added = topic->partitions.emplace_back();
    added.partition_index = partition.partition;
    return added;
  };
  for (Found& found : found_) {
    if (session_.subsequent && found.refusal.code == Code::none && found.acquired.empty()) continue;
    fill(at(found.partition), found, response);
  }
  for (const AckResult& result : acknowledged) {
    auto& to = at(result.partition);
    to.acknowledge_error_code = result.refusal.code;
    if (!result.refusal.message.empty()) to.acknowledge_error_message = result.refusal.message;
  }
}

void ShareFetch::fill(ShareFetchResponse::PartitionData& to, Found& found, ShareFetchResponse& response) {
  if (found.refusal.code == Code::none && !found.acquired.empty()) to.records = give(found.slice, found.refusal.code);
  to.error_code = found.refusal.code;
  if (!found.refusal.message.empty()) to.error_message = found.refusal.message;
  if (found.refusal.code == Code::none)
    for (const auto& acquired : found.acquired)
      to.acquired_records.push_back({acquired.first, acquired.last, acquired.delivery_count});
  if (!tells_leader(found.refusal.code)) return;
  const cluster::TopicImage* topic = call_.image->topic(found.partition.topic_id);
  add_leader_hint(call_, topic ? topic->partition(found.partition.partition) : nullptr, to.current_leader,
                  response.node_endpoints);
}

// A long slice goes from file to socket; a short one is read.  What was acquired and cannot be read comes again when its lock ends.
Records ShareFetch::give(const log::Slice& slice, Code& code) {
  Records records;
  const auto size = static_cast<uint32_t>(slice.length);
  if (size >= sent_from_file_bytes_min) {
    records.external_size = size;
    records.external_id = static_cast<uint32_t>(call_.slices.size());
    call_.slices.push_back({slice.file, slice.position, size});
    return records;
  }
  const MutableBytes bytes = call_.keep(call_.loop.buffers().borrow(sent_from_file_bytes_min)).first(size);
  const auto got = slice.file->read_at(slice.position, bytes);
  if (!got || *got != size) {
    broker_.env.log.error("share fetch", got ? "a segment is shorter than it was" : got.error().message());
    code = Code::kafka_storage_error;
    return records;
  }
  records.bytes = bytes;
  return records;
}

// A request that renews fetches nothing, and says so.
bool renewal_is_pure(const ShareFetchRequest& request) {
  return !request.is_renew_ack ||
         (request.max_wait_ms == 0 && request.min_bytes == 0 && request.max_bytes == 0 && request.max_records == 0);
}

}  // namespace

awaitable<ShareFetchResponse> handle(Broker& broker, Call& call, const ShareFetchRequest& request) {
  Refusal unfit = check_share_request(call, request.group_id, request.member_id);
  if (unfit.code == Code::none && !renewal_is_pure(request))
    unfit = {Code::invalid_request, "Renew acknowledgement needs zero max wait, min bytes, max bytes and max records."};
  if (unfit.code == Code::none && (request.share_acquire_mode < 0 || request.share_acquire_mode > 1))
    unfit = {Code::invalid_request, "Unknown share acquire mode."};
  if (unfit.code != Code::none) {
    ShareFetchResponse refused;
    refused.error_code = unfit.code;
    refused.error_message = unfit.message;
    co_return refused;
  }
  ShareFetch fetch(broker, call, request);
  auto response = co_await fetch.run();
  co_return response;
}

}  // namespace kq::broker
