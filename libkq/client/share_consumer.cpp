#include "libkq/client/share_consumer.hpp"

#include <algorithm>

#include "libkq/client/config.hpp"
#include "libkq/client/share_member.hpp"

namespace kq::client {
namespace {

Error closed_error() { return {own_code::closed, "the share consumer is closed"}; }

GroupOptions group_options(const Config& config) {
  GroupOptions options;
  options.group_id = config.group_id;
  options.rack = config.client_rack;
  options.request_timeout = config.request_timeout;
  options.backoff = {config.retry_backoff, config.retry_backoff_max};
  return options;
}

ShareOptions share_options(const Config& config, std::string member_id) {
  return {.group_id = config.group_id,
          .member_id = std::move(member_id),
          .bytes_min = static_cast<int32_t>(config.fetch_bytes_min),
          .bytes_max = static_cast<int32_t>(config.fetch_bytes_max),
          .records_max = config.poll_records_max,
          .wait_max = config.fetch_wait_max,
          .record_limit = config.share_acquire == ShareAcquire::record_limit,
          .backoff = {config.retry_backoff, config.retry_backoff_max}};
}

}  // namespace

ShareConsumer::ShareConsumer(std::shared_ptr<Driver> driver, std::shared_ptr<Cluster> cluster, const Config& config)
    : driver_(std::move(driver)),
      cluster_(std::move(cluster)),
      group_(group_options(config)),
      explicit_(config.share_acknowledgement == ShareAcknowledgement::by_call),
      pushes_metrics_(config.metrics_push),
      poll_records_max_(static_cast<size_t>(config.poll_records_max)),
      fetch_timeout_(config.fetch_wait_max + config.request_timeout),
      poll_interval_max_(config.poll_interval_max),
      memory_(std::make_shared<FetchMemory>(static_cast<size_t>(config.fetch_memory))),
      fetcher_(share_options(config, Uuid::random().text()), memory_, cluster_->random().next()),
      reader_({.check_crc = config.check_crcs}, memory_) {}

ShareConsumer::~ShareConsumer() { memory_->on_freed(nullptr); }

// ---- life ---------------------------------------------------------------------------------------------------------------------

void ShareConsumer::start() {
  timer_.emplace(driver_->loop(), [this] { tick(); });
  patience_.emplace(driver_->loop(), [this] { look_at_patience(); });
  cluster_->observe(*this);
  if (pushes_metrics_) start_telemetry();
  auto coordinator = std::make_shared<Coordinator>(cluster_, group_.group_id, Coordinator::Kind::group);
  auto member = std::make_unique<ShareMember>(group_, fetcher_.options().member_id, cluster_->random().next());
  membership_ = std::make_shared<Membership>(std::move(coordinator), std::move(member), *this);
  membership_->start();
}

void ShareConsumer::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    fetcher_.close();
    events_.clear();
    beacon_.light(true);
  }
  if (const auto telemetry = std::exchange(telemetry_, nullptr)) telemetry->stop();
  if (membership_) membership_->close();
  membership_.reset();
  memory_->on_freed(nullptr);
  cluster_->forget(*this);
  timer_.reset();
  patience_.reset();
  progress_.notify_all();
  bell_.ring();
}

awaitable<Result<bool>> ShareConsumer::end(Instant deadline) {
  const auto self = shared_from_this();
  {
    std::lock_guard lock(mutex_);
    if (closed_) co_return true;
    fetcher_.close();
  }
  Result<bool> outcome = true;
  for (tick();;) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || fetcher_.closed()) break;
    }
    const bool in_time = co_await progress_.wait_until(driver_->loop(), deadline);
    if (in_time) continue;
    outcome = Error{own_code::timed_out, "group " + group_.group_id + ": a broker has not heard in time what was acknowledged",
                    Verdict::retry};
    break;
  }
  if (const auto membership = membership_) co_await membership->leave(deadline);
  if (const auto telemetry = telemetry_) co_await telemetry->terminate(deadline);
  co_return outcome;
}

void ShareConsumer::post(void (ShareConsumer::*call)()) {
  driver_->loop().post([weak = weak_from_this(), call] {
    if (const auto self = weak.lock()) ((*self).*call)();
  });
}

// ---- the application's calls --------------------------------------------------------------------------------------------------

Status ShareConsumer::in_use() const { return closed_ ? Status(closed_error()) : Status(); }

Status ShareConsumer::subscribe(std::vector<std::string> topics) {
  {
    std::lock_guard lock(mutex_);
    KQ_TRY(in_use());
    subscribed_ = !topics.empty();
    if (subscribed_) fetcher_.want_records();
    after_change();
  }
  driver_->run([&] {
    if (membership_) membership_->subscribe(std::move(topics));
    if (patience_) patience_->arm(Clock::now() + poll_interval_max_);
  });
  return {};
}

Status ShareConsumer::may_acknowledge() const {
  KQ_TRY(in_use());
  if (!explicit_)
    return Error(own_code::argument, "records are acknowledged by a call with share.acknowledgement.mode=explicit alone");
  return {};
}

Status ShareConsumer::acknowledge(const Batch& batch, size_t first, size_t count, int8_t type) {
  std::lock_guard lock(mutex_);
  KQ_TRY(may_acknowledge());
  const auto& records = batch.records;
  if (batch.kind != KQ_RECORDS || first >= records.size()) return Error(own_code::argument, "the batch has no such record");
  const size_t end = count < records.size() - first ? first + count : records.size();
  bool any = false;
  for (size_t i = first; i < end;) {
    size_t next = i + 1;
    while (next < end && records[next].topic == records[i].topic && records[next].partition == records[i].partition &&
           records[next].offset == records[next - 1].offset + 1)
      ++next;
    any |= fetcher_.acknowledge(records[i].topic, records[i].partition, records[i].offset, records[next - 1].offset, type);
    i = next;
  }
  after_change();
  if (any || count == 0) return {};
  return Error(static_cast<int32_t>(Code::invalid_record_state),
               "what was to be acknowledged is not held: it was acknowledged before");
}

Status ShareConsumer::acknowledge(std::string_view topic, int32_t partition, int64_t offset, int8_t type) {
  std::lock_guard lock(mutex_);
  KQ_TRY(may_acknowledge());
  const bool held = fetcher_.acknowledge(topic, partition, offset, offset, type);
  after_change();
  if (held) return {};
  return Error(static_cast<int32_t>(Code::invalid_record_state),
               std::string(topic) + "-" + std::to_string(partition) + " @" + std::to_string(offset) +
                   " is not held: it was never received, or was acknowledged before");
}

int32_t ShareConsumer::lock_timeout_ms() const {
  std::lock_guard lock(mutex_);
  return fetcher_.lock_timeout_ms();
}

int ShareConsumer::descriptor() {
  std::lock_guard lock(mutex_);
  return beacon_.descriptor();
}

void ShareConsumer::wake_up() {
  std::lock_guard lock(mutex_);
  woken_ = true;
  bell_.ring();
}

// ---- commits ------------------------------------------------------------------------------------------------------------------

void ShareConsumer::accept_handed_out() {
  for (const Run& run : std::exchange(handed_out_, {}))
    fetcher_.acknowledge(*run.topic, run.partition, run.first, run.last, ShareAck::accept);
}

uint64_t ShareConsumer::begin_commit() {
  accept_handed_out();
  fetcher_.commit(++commits_);
  return commits_;
}

awaitable<Result<bool>> ShareConsumer::commit(std::vector<ShareOutcome>& outcomes, Instant deadline) {
  const auto self = shared_from_this();
  uint64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    if (closed_) co_return closed_error();
    number = begin_commit();
  }
  tick();
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (closed_) co_return closed_error();
      if (fetcher_.commit_is_done(number)) break;
    }
    const bool in_time = co_await progress_.wait_until(driver_->loop(), deadline);
    if (in_time) continue;
    std::lock_guard lock(mutex_);
    fetcher_.take_outcomes(number);
    co_return Error{own_code::timed_out, "group " + group_.group_id + ": what was acknowledged is not confirmed yet",
                    Verdict::retry};
  }
  std::lock_guard lock(mutex_);
  outcomes = fetcher_.take_outcomes(number);
  co_return true;
}

Status ShareConsumer::commit_later(uint64_t tag) {
  std::lock_guard lock(mutex_);
  KQ_TRY(in_use());
  later_.push_back({begin_commit(), tag});
  look_at_commits();
  after_change();
  return {};
}

void ShareConsumer::look_at_commits() {
  while (!later_.empty() && fetcher_.commit_is_done(later_.front().number)) {
    events_.push_back({fetcher_.take_outcomes(later_.front().number), later_.front().tag});
    later_.pop_front();
  }
}

void ShareConsumer::take_failures() {
  if (fetcher_.has_failures()) events_.push_back({fetcher_.take_outcomes(0), 0});
}

// ---- poll ---------------------------------------------------------------------------------------------------------------------

bool ShareConsumer::may_have_something() const {
  return closed_ || trouble_ || !events_.empty() || fetcher_.has_ready() || fetcher_.has_trouble() || fetcher_.stuck();
}

void ShareConsumer::after_change() {
  // A poll that finds nothing starts the next fetch: so it has something to do, if not to give.
  beacon_.light(may_have_something() || (subscribed_ && !fetcher_.wants_records()));
  if (may_have_something()) bell_.ring();
  note_idleness();
  if (!std::exchange(tick_posted_, true)) post(&ShareConsumer::tick);
}

void ShareConsumer::note_idleness() {
  const bool idle = subscribed_ && polls_ == 0 && !fetcher_.wants_records();
  if (!idle)
    idle_since_.reset();
  else if (!idle_since_)
    idle_since_ = Clock::now();
}

void ShareConsumer::begin_poll() {
  ++polls_;
  accept_handed_out();
  if (std::exchange(overdue_, false)) post(&ShareConsumer::poll_resumed);
}

void ShareConsumer::end_poll() {
  --polls_;
  note_idleness();
}

Result<ShareConsumer::Polled> ShareConsumer::poll(Instant deadline, Batch& into, Where& where) {
  struct Poll {
    explicit Poll(ShareConsumer& of) : consumer(of) {
      std::lock_guard lock(consumer.mutex_);
      consumer.begin_poll();
    }
    ~Poll() {
      std::lock_guard lock(consumer.mutex_);
      consumer.end_poll();
    }
    ShareConsumer& consumer;
  };
  const Poll under_way(*this);
  for (;;) {
    KQ_TRY_ASSIGN(const Polled polled, read(into, where));
    if (polled == Polled::batch) return Polled::batch;
    bool woken = false;
    const bool ready = driver_->wait(bell_, deadline, [&] {
      std::lock_guard lock(mutex_);
      woken = std::exchange(woken_, false);
      return woken || may_have_something();
    });
    if (!ready || woken) return Polled::nothing;
  }
}

Result<ShareConsumer::Polled> ShareConsumer::read(Batch& into, Where& where) {
  std::lock_guard one_reader(reading_);
  std::unique_lock lock(mutex_);
  KQ_TRY(in_use());
  if (take_event(into)) return after_change(), Polled::batch;
  read_slices(lock, into);
  if (!into.records.empty()) {
    ++read_all_.batches;
    if (fetcher_.has_ready()) fetcher_.hurry();  // the next poll will not fetch, and nothing would travel with it
    after_change();
    return Polled::batch;
  }
  std::optional<Error> failure;
  if (auto about = fetcher_.take_trouble()) {
    where = {*about->topic, about->partition};
    failure = std::move(about->error);
  } else if (fetcher_.stuck()) {
    failure = Error(
        own_code::no_room,
        "the batches that you hold fill fetch.buffer.memory (" + std::to_string(memory_->bytes_max()) + " bytes): free some",
        Verdict::retry);
  } else if (trouble_) {
    failure = std::exchange(trouble_, std::nullopt);
  }
  if (!failure && subscribed_ && !fetcher_.wants_records()) {
    fetcher_.want_records();
    after_change();
  }
  if (!failure) return Polled::nothing;
  after_change();
  return std::move(*failure);
}

void ShareConsumer::read_slices(std::unique_lock<std::mutex>& lock, Batch& into) {
  while (into.records.size() < poll_records_max_ && fetcher_.has_ready() && !fetcher_.has_trouble()) {
    ShareSlice slice = fetcher_.take();
    lock.unlock();
    const size_t records_before = into.records.size(), bytes_before = slice.slice.records.size();
    const ShareReader::Found found = reader_.read(slice, poll_records_max_ - into.records.size(), into);
    lock.lock();
    note(slice, found);
    note_read(slice, into.records.size() - records_before, bytes_before - slice.slice.records.size());
    if (!found.done) fetcher_.give_back(std::move(slice));
  }
}

void ShareConsumer::note(const ShareSlice& slice, const ShareReader::Found& found) {
  for (const auto& [first, last] : found.handed_out) {
    fetcher_.handed_out(slice, first, last);
    if (!explicit_) handed_out_.push_back({slice.slice.topic, slice.slice.partition, first, last});
  }
  for (const auto& [first, last] : found.gaps) fetcher_.dispose(slice, first, last, ShareAck::gap);
  for (const auto& [first, last] : found.missing) fetcher_.dispose(slice, first, last, ShareAck::release);
  for (const auto& [first, last] : found.unreadable) fetcher_.dispose(slice, first, last, ShareAck::reject);
  if (found.error) fetcher_.failed(slice, *found.error);
}

void ShareConsumer::note_read(const ShareSlice& slice, size_t records, size_t bytes) {
  const auto found = read_.try_emplace(TopicPartition{*slice.slice.topic, slice.slice.partition}).first;
  for (PartitionTraffic* const traffic : {&found->second, &read_all_}) {
    traffic->records += records;
    traffic->bytes += bytes;
  }
}

ShareConsumer::Statistics ShareConsumer::statistics() const {
  Statistics seen{.since = since_, .nodes = nodes_traffic_};
  seen.memory_used = memory_->used();
  seen.memory_max = memory_->bytes_max();
  std::lock_guard lock(mutex_);
  seen.records = read_all_.records;
  seen.bytes = read_all_.bytes;
  seen.batches = read_all_.batches;
  seen.counts = fetcher_.counts();
  for (const ShareFetcher::Holding& each : fetcher_.holdings()) {
    const auto found = read_.find(each.at);
    const PartitionTraffic traffic = found == read_.end() ? PartitionTraffic{} : found->second;
    seen.partitions.push_back({each.at, each.assigned, traffic.records, traffic.bytes, each.held});
  }
  return seen;
}

bool ShareConsumer::take_event(Batch& into) {
  if (events_.empty()) return false;
  const Event event = std::move(events_.front());
  events_.pop_front();
  into.kind = KQ_EVENT;
  into.event = KQ_ACKNOWLEDGED;
  for (const ShareOutcome& outcome : event.outcomes) {
    const auto topic = std::make_shared<const std::string>(outcome.at.topic);
    into.hold(topic);
    for (int64_t offset = outcome.first; offset <= outcome.last; ++offset) {
      kq_record row = KQ_RECORD_INIT;
      row.topic = topic->c_str();
      row.partition = outcome.at.partition;
      row.offset = offset;
      row.tag = event.tag;
      into.records.push_back(row);
      into.failures.push_back(outcome.error);
    }
  }
  return true;
}

}  // namespace kq::client
