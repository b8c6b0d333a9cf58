// The controller of a single node: decides, writes __cluster_metadata, and publishes.
#pragma once

#include <deque>
#include <mutex>
#include <unordered_map>

#include "broker/cluster/controller.hpp"
#include "broker/cluster/decide.hpp"
#include "broker/cluster/metadata_log.hpp"
#include "broker/io_pool.hpp"

namespace kq::broker {

// open() and start() once, before requests; stop() once, after them.  In between any thread.
//
// A change is decided on what was appended last, appended, synced (together with what others appended meanwhile), published, and then
// answered: in that order, so nobody sees what a power cut could take back.  After a failed write or sync nothing is changed any more.
class LocalController final : public Controller {
 public:
  struct Options {
    const Config& config;
    log::LogDirectory& directory;                    // formatted; where the metadata log lies
    std::vector<Uuid> log_dirs;                      // ids of all log directories
    log::FileSystem& files;
    IoPool& io;
    Logger& logger;
    // Called with each next image, one call at a time, in order, on whichever thread synced it.
    std::function<void(std::shared_ptr<const cluster::Image>, const cluster::Delta&)> publish;
  };

  // Reads what is there.  Blocks.
  static Result<std::unique_ptr<LocalController>> open(Options);
  ~LocalController() override;

  // Begins the next epoch, registers this node with the listeners that clients are told, and makes it lead what it holds.  Blocks;
  // `publish` is not called: image() has it.
  Status start(const std::vector<Listener>& advertised);
  // Leaves the metadata log so that the next start, kqd's or Kafka's, need not wait for this node's session.  The pool is drained.  Blocks.
  Status stop();

  std::shared_ptr<const cluster::Image> image() const;           // as published last
  int64_t broker_epoch() const { return broker_epoch_; }         // for the marker of a clean stop

  awaitable<CreateTopicsResponse> create_topics(Call&, const CreateTopicsRequest&) override;
  awaitable<DeleteTopicsResponse> delete_topics(Call&, const DeleteTopicsRequest&) override;
  awaitable<CreatePartitionsResponse> create_partitions(Call&, const CreatePartitionsRequest&) override;
  awaitable<AlterConfigsResponse> alter_configs(Call&, const AlterConfigsRequest&) override;
  awaitable<IncrementalAlterConfigsResponse> incremental_alter_configs(Call&, const IncrementalAlterConfigsRequest&) override;
  awaitable<Result<ProducerIdBlock>> allocate_producer_ids(Loop&) override;

 private:
  struct Waiter;
  struct Unpublished {
    std::shared_ptr<const cluster::Image> image;
    cluster::Delta delta;
  };

  explicit LocalController(Options options) : options_(std::move(options)) {}

  // Under mutex_.
  Status append(cluster::Change&);                   // answers once it is in the page cache
  void index_names(const cluster::Delta&);
  std::string colliding(std::string_view name) const;
  Error failed_error() const;
  void note_snapshot();                              // is one due?  wake() has it written

  void fail(const Error&);

  // These take mutex_ themselves.
  template <class Request>
  awaitable<typename Request::Response> carry_out(Call&, const Request&);
  awaitable<Status> durable(Loop&, int64_t offset);
  void sync();                                       // on the pool; one at a time
  bool wake(const Status& outcome, int64_t synced_offset);       // true: more was appended meanwhile
  void snapshot(const std::shared_ptr<const cluster::Image>&);   // on the pool; one at a time

  // While starting or stopping, alone (start.cpp).
  Status commit_now(cluster::Change&);
  Status bootstrap();
  Status register_controller();
  Status register_broker(const std::vector<Listener>& advertised);
  Status lead(bool after_crash);

  const Options options_;
  std::unique_ptr<cluster::MetadataLog> metadata_;
  int64_t broker_epoch_ = -1;

  mutable std::mutex mutex_;
  std::shared_ptr<const cluster::Image> appended_;   // what the next decision stands on
  std::shared_ptr<const cluster::Image> published_;
  std::deque<Unpublished> unpublished_;              // appended, not yet synced
  std::vector<std::shared_ptr<Waiter>> waiters_;
  bool syncing_ = false;
  bool snapshotting_ = false;
  std::shared_ptr<const cluster::Image> to_snapshot_;
  int64_t last_snapshot_ms_ = 0;
  std::optional<Error> failed_;
  std::unordered_multimap<std::string, std::string> similar_names_;      // unified name to names that may collide
};

}  // namespace kq::broker
