#include "libkq/client/producer_engine.hpp"

#include "libkq/protocol/messages/init_producer_id.hpp"

namespace kq::client {
namespace {

int16_t acks_on_the_wire(Acks acks) {
  switch (acks) {
    case Acks::all: return -1;
    case Acks::none: return 0;
    case Acks::leader: return 1;
  }
  return -1;
}

int level_of(const Config& config) {
  switch (config.compression) {
    case Compression::gzip: return config.gzip_level;
    case Compression::lz4: return config.lz4_level;
    case Compression::zstd: return config.zstd_level;
    default: return codec_levels(static_cast<Codec>(config.compression)).standard;
  }
}

constexpr Duration short_linger = 5ms;

AccumulatorOptions accumulator_options(const Config& config) {
  AccumulatorOptions options;
  options.batch_bytes = static_cast<size_t>(config.batch_bytes);
  options.record_bytes_max = static_cast<size_t>(config.request_bytes_max);
  options.linger = config.linger;
  options.crc32_keys = config.partitioner == Partitioner::consistent_random;
  options.adaptive = config.adaptive_partitioning;
  options.availability_timeout = config.partition_availability;
  options.notes = config.delivery_report != DeliveryReport::none;
  if (config.linger <= short_linger) options.stamped_at_once = 8;
  options.sums = config.compression == Compression::none;
  options.busy_from = std::min(options.busy_from, config.in_flight_max);
  options.seed = system_random_u64();
  return options;
}

SenderOptions sender_options(const Config& config) {
  SenderOptions options;
  options.acks = acks_on_the_wire(config.acks);
  options.idempotence = config.idempotence;
  options.transactional = !config.transactional_id.empty();
  options.in_flight_max = config.in_flight_max;
  options.request_bytes_max = static_cast<size_t>(config.request_bytes_max);
  options.retries = config.retries;
  options.delivery_timeout = config.delivery_timeout;
  options.request_timeout = config.request_timeout;
  options.retry = {config.retry_backoff, config.retry_backoff_max};
  options.codec = static_cast<Codec>(config.compression);
  options.level = level_of(config);
  options.seed = system_random_u64();
  return options;
}

TransactionConfig transaction_config(const Config& config) {
  TransactionConfig transaction;
  transaction.id = config.transactional_id;
  transaction.timeout = config.transaction_timeout;
  transaction.request_timeout = config.request_timeout;
  transaction.options.retry = {config.retry_backoff, config.retry_backoff_max};
  transaction.options.seed = system_random_u64();
  return transaction;
}

// The newest version that does not add partitions to a transaction by itself (KIP-890).
constexpr int16_t newest_before_transactions_v2 = 11;

// Topics go by id from the next version on (KIP-516): where one has none, all go by name.
constexpr int16_t newest_by_name = 12;

}  // namespace

ProducerEngine::ProducerEngine(Loop& loop, Network& network, Logger& logger, ClusterOptions options, const Config& config)
    : cluster_(Cluster::make(loop, network, logger, std::move(options))),
      memory_(std::make_shared<SendMemory>(static_cast<size_t>(config.buffer_memory), static_cast<size_t>(config.delivery_memory))),
      acks_(acks_on_the_wire(config.acks)), request_timeout_(config.request_timeout),
      deliveries_(config.delivery_report, memory_),
      accumulator_(accumulator_options(config), memory_, [this] { wake(); }, [this](const std::string& name) { want_topic(name); }),
      sender_(sender_options(config)), timer_(loop, [this] { collect(); }), pushes_metrics_(config.metrics_push) {
  if (config.transactional_id.empty()) return;
  transaction_ = std::make_shared<TransactionEngine>(cluster_, *this, transaction_config(config));
  accumulator_.admit(Sending::no_transaction);
}

std::shared_ptr<ProducerEngine> ProducerEngine::make(Loop& loop, Network& network, Logger& logger, ClusterOptions options,
                                                     const Config& config) {
  return std::shared_ptr<ProducerEngine>(new ProducerEngine(loop, network, logger, std::move(options), config));
}

void ProducerEngine::start() {
  if (stopped()) return;
  cluster_->observe(*this);
  cluster_->start();
  if (pushes_metrics_) start_telemetry();
  run(Sender::Tick{});
}

void ProducerEngine::start_telemetry() {
  std::vector<Label> resource;
  if (transaction_) resource.push_back({"transactional_id", transaction_->id()});
  telemetry_ = std::make_shared<Telemetry>(cluster_, "org.apache.kafka.producer.", std::move(resource),
                                           measured_by(weak_from_this(), &ProducerEngine::measure));
  telemetry_->start();
}

Measurements ProducerEngine::measure() const {
  Measurements seen;
  PartitionTraffic sum;
  for (const auto& [lane, each] : statistics_.partitions)
    sum.records += each.records, sum.failed_records += each.failed_records, sum.retries += each.retries;
  seen.counts = {{"connection.creation", cluster_->connections_made()}, {"record.send", sum.records}, {"record.error", sum.failed_records},
                 {"batch.retry", sum.retries}};
  seen.times = {{"record.queue.time", statistics_.queue_us}, {"produce.throttle.time", statistics_.throttle_us}};
  seen.nodes = statistics_.nodes;
  return seen;
}

awaitable<Result<bool>> ProducerEngine::end_telemetry(Instant deadline) {
  const auto self = shared_from_this();
  if (const auto telemetry = telemetry_; telemetry && !stopped()) co_await telemetry->terminate(deadline);
  co_return true;
}

void ProducerEngine::stop() {
  if (stopped()) return;
  if (transaction_) transaction_->stop();
  if (telemetry_) telemetry_->stop();
  abandon_all();
  cluster_->forget(*this);
  cluster_->close();
  timer_.disarm();
  stopped_.store(true, std::memory_order_release);
  progress_.ring();
  memory_->room.ring();
  deliveries_.arrived().ring();
}

void ProducerEngine::abandon_all() {
  collected_.clear();
  accumulator_.collect_everything(Clock::now(), collected_);
  if (!collected_.empty()) run(Sender::Ready{collected_});
  run(Sender::Abandon{{own_code::closed, "the producer was closed before the record was acknowledged"}});
}

void ProducerEngine::purge() {
  loop().post([self = shared_from_this()] {
    self->collected_.clear();
    self->accumulator_.collect_everything(Clock::now(), self->collected_);
    if (!self->collected_.empty()) self->run(Sender::Ready{self->collected_});
    self->run(Sender::Drop{{own_code::closed, "the record was purged before it was sent"}, false});
  });
}

// ---- in -----------------------------------------------------------------------------------------------------------------------

void ProducerEngine::wake() {
  loop().post([self = shared_from_this()] { self->collect(); });
}

void ProducerEngine::want_topic(const std::string& name) {
  loop().post([self = shared_from_this(), name] {
    if (self->stopped()) return;
    if (self->topics_.insert(name).second) self->cluster_->want_topic(name);
    else self->cluster_->refresh();
  });
}

// The application has left something, or a deadline has come.
void ProducerEngine::collect() {
  if (stopped()) return abandon_all();                   // of a send that crossed with close
  collected_.clear();
  accumulator_.collect(Clock::now(), collected_);
  if (collected_.empty()) run(Sender::Tick{});
  else run(Sender::Ready{collected_});
}

void ProducerEngine::run(Sender::Event event) {
  events_.push_back(std::move(event));
  if (std::exchange(running_, true)) return;             // a step is under way: what it brings about follows it
  while (!events_.empty()) {
    const Sender::Event next = std::move(events_.front());
    events_.pop_front();
    for (const Sender::Action& action : sender_.step(Clock::now(), next)) std::visit([this](const auto& each) { act(each); }, action);
  }
  running_ = false;
  for (Connection* connection : written_) connection->release();
  written_.clear();
  look_whether_settled();
  tell();
  arm_timer();
}

void ProducerEngine::arm_timer() {
  Instant next = Instant::max();
  if (const auto deadline = sender_.deadline()) next = *deadline;
  if (const auto deadline = accumulator_.deadline()) next = std::min(next, *deadline);
  if (untold_ && tell_by_ != Instant{}) next = std::min(next, tell_by_);
  if (next == Instant::max() || stopped()) return timer_.disarm();
  if (!timer_.armed() || next < timer_.deadline()) timer_.arm(next);   // one that fires early does no harm
}

void ProducerEngine::metadata_changed() {
  set_trouble(std::nullopt);
  for (const std::string& name : topics_)
    if (const Topic* topic = cluster_->topic(name)) topic_is(name, *topic);
  accumulator_.each_lane([this](Lane& lane) {
    const Partition* const partition = cluster_->partition(*lane.topic, lane.partition);
    const int32_t leader = partition ? partition->leader : -1;
    const int32_t epoch = partition ? partition->leader_epoch : -1;
    if (leader != lane.leader || epoch != lane.leader_epoch || leader < 0) events_.push_back(Sender::LeaderIs{&lane, leader, epoch});
  });
  if (!events_.empty()) run(Sender::Tick{});
  memory_->room.ring();
}

void ProducerEngine::topic_is(const std::string& name, const Topic& topic) {
  if (topic.usable()) return accumulator_.topic_is(name, topic.id, topic.partitions.size());
  if (remedy_of(topic.error) != Remedy::none || topic.error == Code::none) {     // not yet
    if (accumulator_.still_asked_for(name)) cluster_->refresh();
    return;
  }
  accumulator_.topic_failed(name, Error(static_cast<int32_t>(topic.error), "topic '" + name + "': " + name_of(topic.error) + ", " +
                                                                              meaning_of(topic.error)));
}

void ProducerEngine::metadata_failed(const Error& why) { set_trouble(why); }

void ProducerEngine::set_trouble(std::optional<Error> trouble) {
  std::lock_guard hold(trouble_lock_);
  trouble_ = std::move(trouble);
}

std::optional<Error> ProducerEngine::trouble() const {
  std::lock_guard hold(trouble_lock_);
  return trouble_;
}

// ---- out ----------------------------------------------------------------------------------------------------------------------

void ProducerEngine::act(const Sender::Produce& produce) {
  const Status sent = send(produce);
  if (!sent) events_.push_back(Sender::Failed{produce.request, sent.error()});
}

Status ProducerEngine::send(const Sender::Produce& produce) {
  Connection* const connection = cluster_->connection(produce.node, Channel::data);
  if (!connection)
    return Error(own_code::transport, "the connection to broker " + std::to_string(produce.node) + " has ended", Verdict::retry);
  if (std::find(written_.begin(), written_.end(), connection) == written_.end()) {
    connection->hold();
    written_.push_back(connection);
  }
  const ProduceRequest request = request_of(produce.batches);
  KQ_TRY_ASSIGN(int16_t version, connection->apis().choose<ProduceRequest>());
  const auto has_no_id = [](const auto& topic) { return topic.topic_id.is_zero(); };
  if (transaction_ && !transaction_->version_2()) version = std::min(version, newest_before_transactions_v2);
  if (std::any_of(request.topic_data.begin(), request.topic_data.end(), has_no_id)) version = std::min(version, newest_by_name);
  const auto expect = acks_ == 0 ? Connection::Expect::nothing : Connection::Expect::answer;
  Connection::Done done = [self = shared_from_this(), number = produce.request, node = produce.node, begun = Clock::now()](Result<Answer> answer) {
    self->statistics_.nodes[node].ended(begun, answer.ok());
    self->answered(number, std::move(answer));
  };
  KQ_TRY(connection->send_version(request, version, produce.deadline, std::move(done), expect));
  note_sent(produce);
  if (transaction_) transaction_->wrote();
  return {};
}

void ProducerEngine::note_sent(const Sender::Produce& produce) {
  NodeTraffic& node = statistics_.nodes[produce.node];
  node.began();
  const Instant now = Clock::now();
  for (const BatchRef& batch : produce.batches) {
    node.bytes += batch->sealed().size();
    if (batch->attempts > 1) ++statistics_.partitions[batch->lane].retries;
    else statistics_.queue_us.add(std::chrono::duration_cast<std::chrono::microseconds>(now - batch->opened).count());
  }
}

void ProducerEngine::note_finished(const ProducerBatch& batch) {
  if (!batch.lane) return;                           // it never came to be sent
  PartitionTraffic& traffic = statistics_.partitions[batch.lane];
  const auto records = static_cast<uint64_t>(batch.count());
  if (batch.error) {
    traffic.failed_records += records;
    return;
  }
  const size_t bytes = batch.sealed().size();
  traffic.records += records;
  traffic.bytes += bytes;
  ++traffic.batches;
  statistics_.batch_bytes.add(static_cast<int64_t>(bytes));
  statistics_.batch_records.add(batch.count());
}

ProduceRequest ProducerEngine::request_of(std::span<const BatchRef> batches) const {
  ProduceRequest request;
  if (transaction_) request.transactional_id = transaction_->id();
  request.acks = acks_;
  request.timeout_ms = static_cast<int32_t>(to_ms(request_timeout_));
  for (const BatchRef& batch : batches) {
    const auto of_it = [&](const auto& each) { return each.name == *batch->topic; };
    auto topic = std::find_if(request.topic_data.rbegin(), request.topic_data.rend(), of_it);
    if (topic == request.topic_data.rend()) {
      auto& added = request.topic_data.emplace_back();
      added.name = *batch->topic;
      added.topic_id = batch->lane->topic_id;
      topic = request.topic_data.rbegin();
    }
    auto& partition = topic->partition_data.emplace_back();
    partition.index = batch->partition;
    partition.records.emplace().bytes = batch->sealed();
  }
  return request;
}

void ProducerEngine::answered(uint64_t request, Result<Answer> answer) {
  settle(request, std::move(answer));
  if (accumulator_.has_news()) collect();                // whoever saw the leader busy has not woken us
}

void ProducerEngine::settle(uint64_t request, Result<Answer> answer) {
  if (!answer) return run(Sender::Failed{request, std::move(answer.error())});
  if (acks_ == 0) return run(Sender::Written{request});
  const auto reply = decode_reply<ProduceResponse>(std::move(*answer));
  if (!reply) return run(Sender::Failed{request, reply.error()});
  learn_leaders(reply->message);
  statistics_.throttle_us.add(int64_t{1000} * reply->message.throttle_time_ms);
  run(Sender::Answered{request, &reply->message});
}

// A leader that has moved says where to, and how to get there (KIP-951).
void ProducerEngine::learn_leaders(const ProduceResponse& response) {
  for (const auto& node : response.node_endpoints)
    cluster_->learn_node({node.node_id, {std::string(node.host), static_cast<uint16_t>(node.port)}, std::string(node.rack.value_or(""))});
  for (const auto& topic : response.responses) {
    for (const auto& partition : topic.partition_responses) {
      if (partition.current_leader.leader_id < 0) continue;
      const Topic* const known = topic.topic_id.is_zero() ? cluster_->topic(topic.name) : cluster_->topic(topic.topic_id);
      if (known) cluster_->learn_leader(known->name, partition.index, partition.current_leader.leader_id, partition.current_leader.leader_epoch);
    }
  }
}

void ProducerEngine::act(const Sender::Connect& connect) {
  if (cluster_->connection(connect.node, Channel::data)) events_.push_back(Sender::NodeUp{connect.node});
}

void ProducerEngine::act(const Sender::AskProducerId&) { loop().spawn(ask_producer_id(shared_from_this())); }

awaitable<void> ProducerEngine::ask_producer_id(std::shared_ptr<ProducerEngine> self) {
  InitProducerIdRequest request;
  request.transactional_id = std::nullopt;
  const Instant deadline = Clock::now() + self->request_timeout_;
  const auto reply = co_await self->cluster_->request(any_node, request, deadline);
  if (self->stopped()) co_return;
  if (!reply) {
    self->run(Sender::NoProducerId{reply.error()});
  } else if (const Code code = (*reply)->error_code; code != Code::none) {
    const Verdict verdict = remedy_of(code) == Remedy::none ? Verdict::refused : Verdict::retry;
    self->run(Sender::NoProducerId{Error(static_cast<int32_t>(code), std::string("no producer id: ") + name_of(code) + ", " +
                                                                         meaning_of(code), verdict)});
  } else {
    self->run(Sender::ProducerIdIs{(*reply)->producer_id, (*reply)->producer_epoch});
  }
}

void ProducerEngine::act(const Sender::Finished& finished) {
  const BatchRef& batch = finished.batch;
  accumulator_.finished(*batch);
  note_finished(*batch);
  if (batch->error && transaction_) transaction_->batch_failed(*batch->error);
  untold_bytes_ += batch->block.bytes().size();
  if (batch->error) batch->block.leave_budget();         // a failed one keeps its records, as part of its delivery
  else batch->block = {};
  deliveries_.put(batch);
  untold_ = true;
}

// Wakes whoever waits for room, deliveries or a flush.  While most of buffer.memory is taken and more answers are to come, a thread that
// is woken for each would go back to sleep after a batch: then it is woken for several at once, soon.
void ProducerEngine::tell() {
  if (!untold_) return;
  const Budget& budget = memory_->records;
  const bool more_to_come = sender_.requests_in_flight() > 0 && budget.used() > budget.limit() / 2;
  if (more_to_come && untold_bytes_ < budget.limit() / told_at_once) {
    if (tell_by_ == Instant{}) tell_by_ = Clock::now() + telling_wait_max;
    if (Clock::now() < tell_by_) return;
  }
  untold_ = false;
  untold_bytes_ = 0;
  tell_by_ = {};
  deliveries_.arrived().ring();
  memory_->room.ring();
  progress_.ring();
}

// ---- the transaction ----------------------------------------------------------------------------------------------------------

void ProducerEngine::transaction_opened(bool partitions_join) { run(Sender::Begin{partitions_join}); }

void ProducerEngine::settle_transaction(bool commit) {
  settling_ = accumulator_.begin_flush();
  collect();
  if (!commit) run(Sender::Drop{{static_cast<int32_t>(Code::transaction_abortable), "the transaction was aborted before the record was sent"}, true});
}

// Nothing is waiting, and no request of the transaction may still reach a broker.
void ProducerEngine::look_whether_settled() {
  if (!settling_ || running_ || !accumulator_.flushed(*settling_) || sender_.requests_in_flight() > 0) return;
  settling_.reset();
  transaction_->settled();
}

void ProducerEngine::transaction_told() { progress_.ring(); }

}  // namespace kq::client
