// A single node's controller over any disk, for tests that ask it things.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/cluster/local_controller.hpp"
#include "broker/format.hpp"
#include "broker/session.hpp"
#include "broker/worker.hpp"
#include "tests/sim/memory_file_system.hpp"

namespace kq::broker {

// Made: nothing runs.  start() formats where there is nothing yet.  Destroyed without stop(): a crash of the process.
class Node {
 public:
  Node(log::FileSystem& disk, Settings settings = {}) : disk_(disk) {
    settings.try_emplace("log.dirs", "/data");
    config_ = std::make_unique<Config>(*Config::from(std::move(settings)));
  }

  Status start() {
    const log::LogContext context{.cache = cache_, .logger = logger_, .seed = 1};
    KQ_TRY_ASSIGN(directory_, log::LogDirectory::open(context, {.path = config_->log_dirs[0]}));
    log::LogDirectory* const directories[] = {directory_.get()};
    const FormatRequest format{.config = *config_, .files = disk_, .cluster_id = std::nullopt, .now_ms = wall_clock_ms()};
    KQ_TRY_ASSIGN(cluster_id_, format_directories(format, directories));
    LocalController::Options options{.config = *config_,
                                     .directory = *directory_,
                                     .log_dirs = {directory_->meta()->directory_id},
                                     .files = disk_,
                                     .io = pool_,
                                     .logger = logger_,
                                     .publish = [this](auto image, const auto& delta) {
                                       if (follow_) follow_(image, delta);
                                       published_ = std::move(image);
                                       deltas_.push_back(delta);
                                     }};
    KQ_TRY_ASSIGN(controller_, LocalController::open(std::move(options)));
    return controller_->start(config_->advertised_listeners);
  }
  Status stop() {
    KQ_TRY(controller_->stop());
    return directory_->close(controller_->broker_epoch());
  }

  LocalController& controller() { return *controller_; }
  log::LogDirectory& directory() { return *directory_; }
  const Config& config() const { return *config_; }
  const std::string& cluster_id() const { return cluster_id_; }
  std::shared_ptr<const cluster::Image> image() { return controller_->image(); }
  const std::vector<cluster::Delta>& deltas() const { return deltas_; }

  // Who is told of images, beside the node itself.
  void follow(std::function<void(std::shared_ptr<const cluster::Image>, const cluster::Delta&)> follow) { follow_ = std::move(follow); }
  std::unique_ptr<LocalController> give_controller() { return std::move(controller_); }

  // Asks, and runs the loop until there is an answer.  The answer's views live as long as the node.
  template <class Request>
  typename Request::Response ask(const Request& request, int16_t version = Request::newest) {
    Call& call = calls_.emplace_back(session_, worker_, loop_, image(), version);
    std::optional<typename Request::Response> answer;
    loop_.spawn(carry(request, call, answer));
    run_until([&] { return answer.has_value(); });
    return std::move(*answer);
  }
  Result<ProducerIdBlock> allocate_producer_ids() {
    std::optional<Result<ProducerIdBlock>> block;
    loop_.spawn(allocate(block));
    run_until([&] { return block.has_value(); });
    return std::move(*block);
  }

 private:
  awaitable<void> carry(const CreateTopicsRequest& r, Call& call, std::optional<CreateTopicsResponse>& to) {
    to = co_await controller_->create_topics(call, r);
  }
  awaitable<void> carry(const DeleteTopicsRequest& r, Call& call, std::optional<DeleteTopicsResponse>& to) {
    to = co_await controller_->delete_topics(call, r);
  }
  awaitable<void> carry(const CreatePartitionsRequest& r, Call& call, std::optional<CreatePartitionsResponse>& to) {
    to = co_await controller_->create_partitions(call, r);
  }
  awaitable<void> carry(const IncrementalAlterConfigsRequest& r, Call& call, std::optional<IncrementalAlterConfigsResponse>& to) {
    to = co_await controller_->incremental_alter_configs(call, r);
  }
  awaitable<void> allocate(std::optional<Result<ProducerIdBlock>>& to) { to.emplace(co_await controller_->allocate_producer_ids(loop_)); }

  template <class Done>
  void run_until(const Done& done) {
    constexpr int turns_max = 1000;
    for (int i = 0; i < turns_max && !done(); ++i) loop_.step();
    KQ_CHECK(done());
  }

  log::FileSystem& disk_;
  Logger logger_{-1, LogLevel::error};
  log::FileCache cache_{disk_, 64};
  InlinePool pool_;
  Loop loop_{Loop::Kind::simulated};
  Worker worker_{loop_};
  Session session_;
  std::deque<Call> calls_;
  std::unique_ptr<Config> config_;
  std::unique_ptr<log::LogDirectory> directory_;
  std::string cluster_id_;
  std::unique_ptr<LocalController> controller_;
  std::shared_ptr<const cluster::Image> published_;
  std::vector<cluster::Delta> deltas_;
  std::function<void(std::shared_ptr<const cluster::Image>, const cluster::Delta&)> follow_;
};

}  // namespace kq::broker
