#include "broker/cluster/local_controller.hpp"

#include "broker/cluster/features.hpp"
#include "broker/cluster/topic_name.hpp"
#include "broker/session.hpp"

namespace kq::broker {

using cluster::Change;
using cluster::Delta;
using cluster::Image;

// A coroutine that awaits a sync.  It may die before it is woken, when its loop ends.
struct LocalController::Waiter {
  Waiter(Loop& its_loop, int64_t offset) : loop(its_loop), offset(offset), done(its_loop.context()) {}
  Loop& loop;
  const int64_t offset;                              // of the last record that has to be synced
  Status outcome;                                    // set before `done`
  Signal done;
};

LocalController::~LocalController() = default;

Result<std::unique_ptr<LocalController>> LocalController::open(Options options) {
  std::unique_ptr<LocalController> controller(new LocalController(std::move(options)));
  const Options& o = controller->options_;
  const int64_t now_ms = wall_clock_ms();
  log::LogConfig log;
  log.segment_bytes = o.config.metadata_log_segment_bytes;
  log.segment_ms = o.config.metadata_log_segment_ms;
  cluster::MetadataLog::Options metadata{.directory = o.directory,
                                         .files = o.files,
                                         .logger = o.logger,
                                         .node_id = o.config.node_id,
                                         .log = log,
                                         .retention_bytes = static_cast<uint64_t>(std::max<int64_t>(0, o.config.metadata_max_retention_bytes))};
  KQ_TRY_ASSIGN(controller->metadata_, cluster::MetadataLog::open(std::move(metadata), now_ms));
  KQ_TRY_ASSIGN(controller->appended_, controller->metadata_->load());
  controller->published_ = controller->appended_;
  controller->last_snapshot_ms_ = now_ms;
  controller->appended_->topics.for_each([&](const std::string& name, const auto&) {
    if (cluster::may_collide(name)) controller->similar_names_.emplace(cluster::unified_name(name), name);
  });
  return controller;
}

std::shared_ptr<const Image> LocalController::image() const {
  std::lock_guard lock(mutex_);
  return published_;
}

Status LocalController::stop() {
  Change change(appended_);
  BrokerRegistrationChangeRecord fenced;
  fenced.broker_id = options_.config.node_id;
  fenced.broker_epoch = broker_epoch_;
  fenced.fenced = 1;
  change.add(fenced);
  return commit_now(change);
}

// ---- Requests ----------------------------------------------------------------------------------------------------------------

namespace {

// Every part of an answer says that the metadata cannot be changed.
void refuse_all(CreateTopicsResponse& response, const CreateTopicsRequest& request, std::string_view why) {
  for (const auto& topic : request.topics) {
    auto& result = response.topics.emplace_back();
    result.name = topic.name;
    result.error_code = Code::kafka_storage_error;
    result.error_message = why;
  }
}
void refuse_all(DeleteTopicsResponse& response, const DeleteTopicsRequest& request, std::string_view why) {
  for (const auto& topic : request.topics) {
    auto& result = response.responses.emplace_back();
    result.name = topic.name;
    result.topic_id = topic.topic_id;
    result.error_code = Code::kafka_storage_error;
    result.error_message = why;
  }
  for (const auto name : request.topic_names) {
    auto& result = response.responses.emplace_back();
    result.name = name;
    result.error_code = Code::kafka_storage_error;
  }
}
void refuse_all(CreatePartitionsResponse& response, const CreatePartitionsRequest& request, std::string_view why) {
  for (const auto& topic : request.topics) {
    auto& result = response.results.emplace_back();
    result.name = topic.name;
    result.error_code = Code::kafka_storage_error;
    result.error_message = why;
  }
}
template <class Response, class Request>  // of configs
void refuse_all(Response& response, const Request& request, std::string_view why) {
  for (const auto& resource : request.resources) {
    auto& result = response.responses.emplace_back();
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    result.error_code = Code::kafka_storage_error;
    result.error_message = why;
  }
}

bool only_validates(const CreateTopicsRequest& request) { return request.validate_only; }
bool only_validates(const DeleteTopicsRequest&) { return false; }
bool only_validates(const CreatePartitionsRequest& request) { return request.validate_only; }
bool only_validates(const AlterConfigsRequest& request) { return request.validate_only; }
bool only_validates(const IncrementalAlterConfigsRequest& request) { return request.validate_only; }

}  // namespace

template <class Request>
awaitable<typename Request::Response> LocalController::carry_out(Call& call, const Request& request) {
  using Response = typename Request::Response;
  Response response;
  int64_t offset = -1;
  Status outcome;
  {
    std::lock_guard lock(mutex_);
    Change change(appended_);
    const Deciding with{options_.config, call, [this](std::string_view name) { return colliding(name); }};
    response = decide(with, change, request);
    if (!only_validates(request) && !change.empty()) {
      outcome = append(change);
      offset = appended_->offset;
    }
  }
  if (outcome && offset >= 0) outcome = co_await durable(call.loop, offset);
  if (!outcome) {
    response = Response{};
    refuse_all(response, request, call.keep(std::string(outcome.error().message())));
  }
  co_return response;
}

awaitable<CreateTopicsResponse> LocalController::create_topics(Call& call, const CreateTopicsRequest& request) {
  return carry_out(call, request);
}
awaitable<DeleteTopicsResponse> LocalController::delete_topics(Call& call, const DeleteTopicsRequest& request) {
  return carry_out(call, request);
}
awaitable<CreatePartitionsResponse> LocalController::create_partitions(Call& call, const CreatePartitionsRequest& request) {
  return carry_out(call, request);
}
awaitable<AlterConfigsResponse> LocalController::alter_configs(Call& call, const AlterConfigsRequest& request) {
  return carry_out(call, request);
}
awaitable<IncrementalAlterConfigsResponse> LocalController::incremental_alter_configs(Call& call,
                                                                                      const IncrementalAlterConfigsRequest& request) {
  return carry_out(call, request);
}

awaitable<Result<ProducerIdBlock>> LocalController::allocate_producer_ids(Loop& loop) {
  constexpr int32_t block_size = 1000;               // Kafka's
  ProducerIdBlock block;
  int64_t offset = -1;
  Status outcome;
  {
    std::lock_guard lock(mutex_);
    block = {appended_->next_producer_id, block_size};
    Change change(appended_);
    ProducerIdsRecord record;
    record.broker_id = options_.config.node_id;
    record.broker_epoch = broker_epoch_;
    record.next_producer_id = block.first + block.count;
    change.add(record);
    outcome = append(change);
    offset = appended_->offset;
  }
  if (outcome) outcome = co_await durable(loop, offset);
  if (!outcome) co_return std::move(outcome.error());
  co_return block;
}

// ---- From a decision to everybody's image ---------------------------------------------------------------------------------------

Error LocalController::failed_error() const {
  return {own_code::system, "the metadata log is offline: " + failed_->message() + "; restart kqd once the disk is well", Verdict::fatal};
}

Status LocalController::append(Change& change) {
  if (failed_) return failed_error();
  const auto first = metadata_->append(change.records(), wall_clock_ms());
  if (!first) {
    if (!log::disk_full(first.error())) fail(first.error());
    return Error(first.error());
  }
  auto [image, delta] = change.finish(metadata_->end_offset() - 1, metadata_->epoch());
  index_names(delta);
  appended_ = image;
  unpublished_.push_back({std::move(image), std::move(delta)});
  note_snapshot();
  return {};
}

void LocalController::fail(const Error& error) {
  if (failed_) return;
  failed_ = error;
  options_.logger.error("metadata", failed_error().message());
  options_.directory.set_offline(error);
}

void LocalController::index_names(const Delta& delta) {
  for (const auto& topic : delta.topics) {
    const std::string& name = (topic.after ? topic.after : topic.before)->name;
    if (!cluster::may_collide(name) || (topic.before && topic.after)) continue;
    const std::string unified = cluster::unified_name(name);
    if (topic.after) {
      similar_names_.emplace(unified, name);
      continue;
    }
    const auto [begin, end] = similar_names_.equal_range(unified);
    for (auto at = begin; at != end; ++at)
      if (at->second == name) {
        similar_names_.erase(at);
        break;
      }
  }
}

std::string LocalController::colliding(std::string_view name) const {
  if (!cluster::may_collide(name)) return {};
  const auto [begin, end] = similar_names_.equal_range(cluster::unified_name(name));
  for (auto at = begin; at != end; ++at)
    if (at->second != name) return at->second;
  return {};
}

awaitable<Status> LocalController::durable(Loop& loop, int64_t offset) {
  const auto waiter = std::make_shared<Waiter>(loop, offset);
  bool begin = false;
  {
    std::lock_guard lock(mutex_);
    waiters_.push_back(waiter);
    begin = !std::exchange(syncing_, true);
  }
  if (begin) options_.io.submit([this] { sync(); });
  co_await waiter->done.wait();
  co_return std::move(waiter->outcome);
}

void LocalController::sync() {
  for (bool more = true; more;) {
    std::deque<Unpublished> ready;
    Status outcome;
    std::optional<log::FlushWork> work;
    {
      std::lock_guard lock(mutex_);
      auto prepared = metadata_->prepare_flush();
      if (prepared) work = std::move(*prepared);
      else outcome = std::move(prepared.error());
      ready.swap(unpublished_);
    }
    if (work) {
      outcome = work->run();
      std::lock_guard lock(mutex_);
      metadata_->flushed(*work, outcome);
    }
    if (outcome)
      for (auto& next : ready) {
        options_.publish(next.image, next.delta);
        std::lock_guard lock(mutex_);
        published_ = next.image;
      }
    more = wake(outcome, ready.empty() ? -1 : ready.back().image->offset);
  }
}

bool LocalController::wake(const Status& outcome, int64_t synced_offset) {
  std::vector<std::shared_ptr<Waiter>> woken;
  std::shared_ptr<const Image> to_snapshot;
  bool more = false;
  {
    std::lock_guard lock(mutex_);
    if (!outcome) fail(outcome.error());
    const auto done = [&](const auto& waiter) { return !outcome || waiter->offset <= synced_offset; };
    for (const auto& waiter : waiters_)
      if (done(waiter)) woken.push_back(waiter);
    std::erase_if(waiters_, done);
    more = outcome.ok() && !unpublished_.empty();
    if (!more) syncing_ = false;
    to_snapshot.swap(to_snapshot_);
  }
  for (const auto& waiter : woken) {
    if (!outcome) waiter->outcome = Error(outcome.error());
    waiter->loop.post([waiter] { waiter->done.notify(); });
  }
  if (to_snapshot) options_.io.submit([this, to_snapshot] { snapshot(to_snapshot); });
  return more;
}

void LocalController::note_snapshot() {
  const int64_t now_ms = wall_clock_ms();
  const Config& config = options_.config;
  const bool by_size = metadata_->bytes_since_snapshot() >= static_cast<uint64_t>(config.metadata_log_max_record_bytes_between_snapshots);
  const int64_t interval_ms = config.metadata_log_max_snapshot_interval_ms;
  const bool by_time = interval_ms > 0 && now_ms - last_snapshot_ms_ >= interval_ms;
  if (snapshotting_ || !(by_size || by_time)) return;
  snapshotting_ = true;
  last_snapshot_ms_ = now_ms;
  metadata_->snapshot_begun(now_ms);
  to_snapshot_ = appended_;
}

void LocalController::snapshot(const std::shared_ptr<const Image>& image) {
  const int64_t now_ms = wall_clock_ms();
  Status written = metadata_->write_snapshot(*image, now_ms, now_ms);
  std::lock_guard lock(mutex_);
  if (written) written = metadata_->snapshot_written({image->offset + 1, image->epoch}, now_ms);
  if (!written)
    options_.logger.error("metadata", "cannot write a snapshot; the log goes on growing: " + written.error().message());
  snapshotting_ = false;
}

}  // namespace kq::broker
