#include "libkq/client/consumer.hpp"

#include <algorithm>

#include "libkq/client/classic_member.hpp"
#include "libkq/client/config.hpp"
#include "libkq/client/consumer_member.hpp"
#include "libkq/client/offset_reset.hpp"

namespace kq::client {
namespace {

FetchOptions fetch_options(const Config& config) {
  FetchOptions options;
  options.bytes_min = static_cast<int32_t>(config.fetch_bytes_min);
  options.bytes_max = static_cast<int32_t>(config.fetch_bytes_max);
  options.partition_bytes_max = static_cast<int32_t>(config.fetch_partition_bytes_max);
  options.wait_max = config.fetch_wait_max;
  options.isolation_level = config.isolation == Isolation::read_committed;
  if (const auto reset = OffsetReset::parse(config.offset_reset)) {  // settled already
    options.reset = reset->spec;
    options.reset_back = reset->back;
  }
  options.committed_first = !config.group_id.empty();
  options.report_end = config.partition_eof;
  options.rack = config.client_rack;
  options.replica_age = config.metadata_max_age;
  options.backoff = {config.retry_backoff, config.retry_backoff_max};
  return options;
}

GroupOptions group_options(const Config& config) {
  GroupOptions options;
  options.group_id = config.group_id;
  if (!config.group_instance_id.empty()) options.instance_id = config.group_instance_id;
  options.rack = config.client_rack;
  options.remote_assignor = config.group_remote_assignor;
  if (!config.assignors.empty()) options.assignors.clear();
  for (const std::string& name : config.assignors) options.assignors.push_back(*configured_assignor(name));
  options.session_timeout = config.session_timeout;
  options.heartbeat_interval = config.heartbeat_interval;
  options.rebalance_timeout = config.poll_interval_max;
  options.request_timeout = config.request_timeout;
  options.backoff = {config.retry_backoff, config.retry_backoff_max};
  return options;
}

Error closed_error() { return {own_code::closed, "the consumer is closed"}; }

}  // namespace

Consumer::Consumer(std::shared_ptr<Driver> driver, std::shared_ptr<Cluster> cluster, const Config& config)
    : driver_(std::move(driver)), cluster_(std::move(cluster)), poll_records_max_(static_cast<size_t>(config.poll_records_max)),
      fetch_timeout_(config.fetch_wait_max + config.request_timeout),
      memory_(std::make_shared<FetchMemory>(static_cast<size_t>(config.fetch_memory))),
      group_(group_options(config)),
      coordinated_(!config.group_id.empty()),
      auto_commit_(config.auto_commit && !config.group_id.empty()),
      by_broker_(config.group_protocol == GroupProtocol::consumer),
      pushes_metrics_(config.metrics_push),
      commit_interval_(config.commit_interval),
      poll_interval_max_(config.poll_interval_max),
      fetcher_(fetch_options(config), memory_, cluster_->random().next()),
      offsets_(config.auto_offset_store),
      reader_({.check_crc = config.check_crcs}, config.isolation == Isolation::read_committed, memory_) {}

Consumer::~Consumer() { memory_->on_freed(nullptr); }

// ---- life ---------------------------------------------------------------------------------------------------------------------

void Consumer::start() {
  timer_.emplace(driver_->loop(), [this] { tick(); });
  cluster_->observe(*this);
  if (pushes_metrics_) start_telemetry();
  if (group_.group_id.empty()) return;
  commit_timer_.emplace(driver_->loop(), [this] { driver_->loop().spawn(commit_stored(shared_from_this())); });
  patience_.emplace(driver_->loop(), [this] { look_at_patience(); });
  coordinator_ = std::make_shared<Coordinator>(cluster_, group_.group_id, Coordinator::Kind::group);
  const uint64_t seed = cluster_->random().next();
  std::unique_ptr<GroupMember> member;
  if (by_broker_) member = std::make_unique<ConsumerMember>(group_, Uuid::random().text(), seed);
  else member = std::make_unique<ClassicMember>(group_, seed);
  membership_ = std::make_shared<Membership>(coordinator_, std::move(member), *this);
  membership_->start();
}

void Consumer::start_telemetry() {
  std::vector<Label> resource;
  if (coordinated_) resource.push_back({"group_id", group_.group_id});
  if (group_.instance_id) resource.push_back({"group_instance_id", *group_.instance_id});
  if (!group_.rack.empty()) resource.push_back({"client_rack", group_.rack});
  telemetry_ = std::make_shared<Telemetry>(cluster_, "org.apache.kafka.consumer.", std::move(resource),
                                           measured_by(weak_from_this(), &Consumer::measure));
  telemetry_->start();
}

Measurements Consumer::measure() const {
  const Statistics now = statistics();
  Measurements seen;
  seen.counts = {{"connection.creation", cluster_->connections_made()}, {"fetch.manager.records.consumed", now.records},
                 {"fetch.manager.bytes.consumed", now.bytes}};
  seen.times = {{"fetch.manager.fetch.latency", latency_of_all(now.nodes)}, {"coordinator.commit.latency", commit_us_}};
  seen.levels = {{"coordinator.assigned.partitions", static_cast<double>(now.partitions.size())}};
  seen.nodes = now.nodes;
  return seen;
}

void Consumer::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    fetcher_.assign({});
    events_.clear();
    revocation_.reset();
    beacon_.light(true);
  }
  if (const auto telemetry = std::exchange(telemetry_, nullptr)) telemetry->stop();
  if (membership_) membership_->close();
  membership_.reset();
  coordinator_.reset();
  commit_timer_.reset();
  patience_.reset();
  committed_.notify_all();
  memory_->on_freed(nullptr);
  cluster_->forget(*this);
  timer_.reset();
  bell_.ring();
}

void Consumer::post(void (Consumer::*call)()) {
  driver_->loop().post([weak = weak_from_this(), call] {
    if (const auto self = weak.lock()) ((*self).*call)();
  });
}

// ---- the application's calls --------------------------------------------------------------------------------------------------

Status Consumer::assign(std::span<const AssignedPartition> partitions) {
  std::lock_guard lock(mutex_);
  if (closed_) return closed_error();
  if (mode_ == Mode::subscribed)
    return Error(own_code::argument,
                 "partitions come from the group while there is a subscription: unsubscribe before you assign some");
  mode_ = partitions.empty() ? Mode::idle : Mode::assigned;
  fetcher_.assign(partitions);
  if (partitions.empty()) offsets_.forget_all();
  post(&Consumer::topics_changed);
  after_change();
  return {};
}

Status Consumer::seek(std::string_view topic, int32_t partition, int64_t offset) {
  std::lock_guard lock(mutex_);
  if (closed_) return closed_error();
  if (is_lost_untold(topic, partition))
    return Error(own_code::argument, std::string(topic) + "-" + std::to_string(partition) + " was lost: poll tells so, and when it comes back");
  KQ_TRY(fetcher_.seek(topic, partition, offset));
  offsets_.moved(topic, partition);
  after_change();
  return {};
}

Status Consumer::pause(std::string_view topic, int32_t partition, bool paused) {
  std::lock_guard lock(mutex_);
  if (closed_) return closed_error();
  KQ_TRY(fetcher_.pause(topic, partition, paused));
  after_change();
  return {};
}

void Consumer::after_change() {
  beacon_.light(may_have_something());
  if (may_have_something()) bell_.ring();
  note_ready();
  if (fetcher_.wants_step() && !std::exchange(tick_posted_, true)) post(&Consumer::tick);
}

Result<int64_t> Consumer::position(std::string_view topic, int32_t partition) const {
  std::lock_guard lock(mutex_);
  if (closed_) return closed_error();
  return fetcher_.position(topic, partition);
}

std::vector<Consumer::Assigned> Consumer::assignment() const {
  std::lock_guard lock(mutex_);
  std::vector<Assigned> assigned;
  for (const PartitionView& view : fetcher_.assignment())
    assigned.push_back({std::string(view.topic), view.partition, view.position, view.end_offset, view.paused});
  return assigned;
}

int Consumer::descriptor() {
  std::lock_guard lock(mutex_);
  return beacon_.descriptor();
}

// ---- poll ---------------------------------------------------------------------------------------------------------------------

bool Consumer::may_have_something() const {
  return closed_ || trouble_ || group_trouble_ || !events_.empty() || fetcher_.has_ready() || fetcher_.stuck();
}

void Consumer::wake_up() {
  std::lock_guard lock(mutex_);
  woken_ = true;
  bell_.ring();
}

Result<Consumer::Polled> Consumer::poll(Instant deadline, Batch& into, Where& where) {
  struct Poll {
    explicit Poll(Consumer& of) : consumer(of) {
      std::lock_guard lock(consumer.mutex_);
      consumer.begin_poll();
    }
    ~Poll() {
      std::lock_guard lock(consumer.mutex_);
      consumer.end_poll();
    }
    Consumer& consumer;
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

Result<Consumer::Polled> Consumer::read(Batch& into, Where& where) {
  std::lock_guard one_reader(reading_);
  std::unique_lock lock(mutex_);
  if (closed_) return closed_error();
  bool found = take_event(into);
  if (!found) {
    read_slices(lock, into);
    read_all_.batches += !into.records.empty();
    if (into.records.empty()) read_ends(into);
    found = !into.records.empty();
  }
  std::optional<Error> failure;
  if (!found && group_trouble_) {
    failure = group_trouble_;
    if (failure->verdict() != Verdict::fatal) group_trouble_.reset();
    after_change();
    return std::move(*failure);
  }
  if (!found && fetcher_.has_ready()) {
    if (auto fetched = fetcher_.take(); auto* about = fetched ? std::get_if<PartitionFailure>(&*fetched) : nullptr) {
      where = {*about->topic, about->partition};
      failure = std::move(about->error);
    }
  } else if (!found && fetcher_.stuck()) {
    failure = Error(own_code::no_room, "the batches that you hold fill fetch.buffer.memory (" + std::to_string(memory_->bytes_max()) +
                                           " bytes): free some", Verdict::retry);
  } else if (!found && trouble_) {
    failure = std::exchange(trouble_, std::nullopt);
  }
  after_change();
  if (failure) return std::move(*failure);
  return found ? Polled::batch : Polled::nothing;
}

void Consumer::read_slices(std::unique_lock<std::mutex>& lock, Batch& into) {
  while (into.records.size() < poll_records_max_ && fetcher_.slice_is_next()) {
    auto fetched = fetcher_.take();
    auto& slice = std::get<Slice>(*fetched);
    const size_t before = into.records.size(), bytes_before = slice.records.size();
    lock.unlock();
    auto done = reader_.read(slice, poll_records_max_ - into.records.size(), into);
    lock.lock();
    note_read(slice, into.records.size() - before, bytes_before - slice.records.size());
    if (coordinated_) note_end(slice, into.records.size() > before, into);
    if (!done) {
      fetcher_.failed(slice, std::move(done.error()).in(*slice.topic + "-" + std::to_string(slice.partition)));
    } else if (*done) {
      fetcher_.finished(slice);
    } else {
      fetcher_.give_back(std::move(slice));
    }
  }
}

void Consumer::note_read(const Slice& slice, size_t records, size_t bytes) {
  const TopicPartitionLess::View at{*slice.topic, slice.partition};
  auto found = read_.find(at);
  if (found == read_.end()) found = read_.emplace(TopicPartition{*slice.topic, slice.partition}, PartitionTraffic{}).first;
  for (PartitionTraffic* const traffic : {&found->second, &read_all_}) {
    traffic->records += records;
    traffic->bytes += bytes;
  }
}

Consumer::Statistics Consumer::statistics() const {
  Statistics seen{.since = since_, .nodes = nodes_traffic_};
  seen.memory_used = memory_->used();
  seen.memory_max = memory_->bytes_max();
  const auto assigned = assignment();
  std::lock_guard lock(mutex_);
  seen.records = read_all_.records;
  seen.bytes = read_all_.bytes;
  seen.batches = read_all_.batches;
  for (const Assigned& each : assigned) {
    const auto found = read_.find(TopicPartitionLess::View{each.topic, each.partition});
    if (found == read_.end()) seen.partitions.push_back({each});
    else seen.partitions.push_back({each, found->second.records, found->second.bytes});
  }
  return seen;
}

void Consumer::read_ends(Batch& into) {
  while (fetcher_.end_is_next()) {
    auto fetched = fetcher_.take();
    const auto& end = std::get<EndOfPartition>(*fetched);
    into.kind = KQ_EVENT;
    into.event = KQ_END_OF_PARTITION;
    into.hold(end.topic);
    kq_record row = KQ_RECORD_INIT;
    row.topic = end.topic->c_str();
    row.partition = end.partition;
    row.offset = end.offset;
    into.records.push_back(row);
  }
}

// ---- on the loop --------------------------------------------------------------------------------------------------------------

void Consumer::step(const Fetcher::Event& event) {
  std::vector<Fetcher::Wish> wishes;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    tick_posted_ = false;
    const auto wished = fetcher_.step(Clock::now(), event);
    wishes.assign(wished.begin(), wished.end());
    if (may_have_something()) ring();
  }
  act(wishes);
  plan();
}

void Consumer::act(const std::vector<Fetcher::Wish>& wishes) {
  for (const Fetcher::Wish& wish : wishes) {
    switch (wish.kind) {
      case Fetcher::Wish::Kind::metadata: cluster_->refresh(); break;
      case Fetcher::Wish::Kind::offsets: driver_->loop().spawn(list_offsets(shared_from_this(), wish.node)); break;
      case Fetcher::Wish::Kind::committed: driver_->loop().spawn(fetch_committed(shared_from_this())); break;
      case Fetcher::Wish::Kind::fetch: send_fetch(wish.node); break;
    }
  }
}

void Consumer::plan() {
  std::lock_guard lock(mutex_);
  if (const auto deadline = fetcher_.deadline()) timer_->arm(*deadline);
  else timer_->disarm();
  if (!fetcher_.starved()) return;
  memory_->on_freed([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->post(&Consumer::tick);
  });
}

void Consumer::send_fetch(int32_t node) {
  Connection* const connection = cluster_->connection(node, Channel::data);
  FetchRequest request;
  bool has_topic_ids = false;
  {
    std::lock_guard lock(mutex_);
    if (!connection) return void(fetcher_.step(Clock::now(), Fetcher::NotConnected{node}));     // its other wishes are being met
    if (!fetcher_.fill(node, request)) return;
    has_topic_ids = fetcher_.has_topic_ids();
  }
  constexpr int16_t newest_by_name = 12, first_with_epochs = 12;
  auto version = connection->apis().choose<FetchRequest>();
  if (version && *version < first_with_epochs)
    for (auto& topic : request.topics)
      for (auto& partition : topic.partitions) partition.last_fetched_epoch = -1;
  Status sent;
  if (version) {
    sent = connection->send_version(request, has_topic_ids ? *version : std::min(*version, newest_by_name),
                                    Clock::now() + fetch_timeout_, [weak = weak_from_this(), node, begun = Clock::now()](Result<Answer> answer) {
                                      const auto self = weak.lock();
                                      if (!self) return;
                                      self->nodes_traffic_[node].ended(begun, answer.ok());
                                      self->fetch_answered(node, std::move(answer));
                                    });
    if (sent) nodes_traffic_[node].began();
  }
  if (!version || !sent) step(Fetcher::FetchFailed{node});
}

void Consumer::fetch_answered(int32_t node, Result<Answer> answer) {
  if (!answer) return step(Fetcher::FetchFailed{node});
  const size_t cost = answer->frame.memory_bytes();
  nodes_traffic_[node].bytes += answer->body.size();
  auto reply = decode_reply<FetchResponse>(std::move(*answer));
  if (!reply) {
    cluster_->logger().warning("consumer", reply.error().message());
    return step(Fetcher::FetchFailed{node});
  }
  step(Fetcher::FetchAnswered{node, reply->message, charge(memory_, std::move(reply->frame), cost)});
}

awaitable<void> Consumer::list_offsets(std::shared_ptr<Consumer> self, int32_t node) {
  ListOffsetsRequest request;
  {
    std::lock_guard lock(self->mutex_);
    if (!self->fetcher_.fill(node, request, wall_clock_ms())) co_return;
  }
  const Instant deadline = Clock::now() + self->cluster_->options().request_timeout;
  auto reply = co_await self->cluster_->request(at_node(node), request, deadline);
  if (reply) self->step(Fetcher::OffsetsAnswered{node, reply->message});
  else self->step(Fetcher::OffsetsFailed{node, std::move(reply.error())});
}

void Consumer::topics_changed() {
  std::vector<std::string> now;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    now = fetcher_.topics();
  }
  std::set<std::string> before = std::exchange(topics_, {now.begin(), now.end()});
  for (const std::string& topic : topics_)
    if (before.erase(topic) == 0) cluster_->want_topic(topic);
  for (const std::string& topic : before) cluster_->unwant_topic(topic);
  look_up_leaders();
}

void Consumer::metadata_changed() {
  {
    std::lock_guard lock(mutex_);
    in_trouble_ = false;
    trouble_.reset();
  }
  look_up_leaders();
}

void Consumer::look_up_leaders() {
  std::vector<Fetcher::Leader> leaders;
  std::vector<Fetcher::Missing> missing;
  for (const Assigned& assigned : assignment()) {
    const Topic* topic = cluster_->topic(assigned.topic);
    if (!topic) continue;                            // not asked for yet
    const auto name = std::string_view(topic->name);
    const Partition* partition = cluster_->partition(name, assigned.partition);
    if (topic->error != Code::none) missing.push_back({name, assigned.partition, topic->error});
    else if (!partition) missing.push_back({name, assigned.partition, Code::unknown_topic_or_partition});
    else leaders.push_back({name, assigned.partition, partition->leader, partition->leader_epoch, topic->id});
  }
  step(Fetcher::Metadata{leaders, missing});
}

void Consumer::metadata_failed(const Error& error) {
  std::lock_guard lock(mutex_);
  if (closed_ || std::exchange(in_trouble_, true)) return;
  trouble_ = error;
  ring();
}

}  // namespace kq::client
