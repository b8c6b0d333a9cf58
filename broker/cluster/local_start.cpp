// How a single node's controller begins: another epoch, its registrations, its leaderships.
#include <algorithm>

#include "broker/cluster/features.hpp"
#include "broker/cluster/local_controller.hpp"
#include "broker/config_table.hpp"
#include "broker/format.hpp"

namespace kq::broker {
namespace {

using cluster::BrokerImage;
using cluster::Change;
using cluster::ControllerImage;
using cluster::Image;
using cluster::PartitionImage;

constexpr size_t bootstrap_bytes_max = 1 << 20;
constexpr size_t records_per_batch = 10'000;

cluster::Endpoint endpoint_of(const Listener& listener) {
  return {listener.name, listener.host, listener.port, static_cast<int16_t>(listener.protocol)};
}

std::map<std::string, cluster::FeatureRange, std::less<>> supported_features() {
  std::map<std::string, cluster::FeatureRange, std::less<>> out;
  for (const cluster::Feature& feature : cluster::features) out[std::string(feature.name)] = {feature.min, feature.max};
  return out;
}

// The change that makes `node` lead; nothing where it does already.  After a crash every leadership begins anew: records that were
// lost with the power may have been read, and their offsets are given out again.
std::optional<PartitionChangeRecord> leadership(const PartitionImage& partition, int32_t node, bool after_crash, int16_t version) {
  const auto has = [node](const std::vector<int32_t>& ids) { return std::find(ids.begin(), ids.end(), node) != ids.end(); };
  if (!has(partition.replicas)) return std::nullopt;
  const bool leads = partition.leader == node && has(partition.isr);
  if (leads && !after_crash) return std::nullopt;
  PartitionChangeRecord record;
  record.leader = node;
  if (!has(partition.isr)) record.isr = std::vector<int32_t>{node};
  if (version >= 2 && !partition.eligible_leader_replicas.empty()) record.eligible_leader_replicas = std::vector<int32_t>{};
  if (version >= 2 && !partition.last_known_elr.empty()) record.last_known_elr = std::vector<int32_t>{};
  return record;
}

}  // namespace

Status LocalController::start(const std::vector<Listener>& advertised) {
  const int64_t now_ms = wall_clock_ms();
  KQ_TRY(metadata_->become_leader(now_ms));
  if (metadata_->transaction_left_open()) {
    std::vector<std::vector<std::byte>> abort(1);
    AbortTransactionRecord record;
    record.reason = "its controller stopped before the end";
    KQ_CHECK(write_metadata_record(record, 0, abort[0]));
    const auto appended = metadata_->append(abort, now_ms);
    if (!appended) return Error(appended.error());
  }
  if (appended_->feature(cluster::metadata_version_feature) == 0) KQ_TRY(bootstrap());
  if (const int16_t level = appended_->feature(cluster::metadata_version_feature); level > cluster::metadata_version_newest)
    return Error(own_code::unsupported, "the cluster's metadata.version is " + std::to_string(level) + ", and this kqd knows up to " +
                                            std::to_string(cluster::metadata_version_newest) + ": a newer kqd is needed");
  const BrokerImage* former = appended_->broker(options_.config.node_id);
  const auto& left = options_.directory.clean_shutdown();
  const bool after_crash = former != nullptr && !(left && left->broker_epoch == former->epoch);
  KQ_TRY(register_controller());
  KQ_TRY(register_broker(advertised));
  return lead(after_crash);
}

Status LocalController::commit_now(Change& change) {
  if (!change.empty()) KQ_TRY(append(change));
  KQ_TRY(metadata_->sync());
  unpublished_.clear();                                        // nobody is there yet to be told
  published_ = appended_;
  return {};
}

Status LocalController::bootstrap() {
  const std::string path = options_.directory.path() + "/bootstrap.checkpoint";
  auto file = log::read_small_file(options_.files, path, bootstrap_bytes_max);
  if (!file) return std::move(file.error()).in("the metadata log is empty, and what it has to begin with cannot be read");
  std::vector<std::vector<std::byte>> records;
  auto head = cluster::read_snapshot(as_bytes(*file), [&](Bytes record) {
    records.emplace_back(record.begin(), record.end());
    return Status{};
  });
  if (!head) return std::move(head.error()).in(path);
  cluster::Draft preview(appended_);
  for (const auto& record : records) KQ_TRY(preview.replay(record));
  const Image& fresh = preview.image();

  Change change(appended_);
  const bool as_transaction = cluster::RecordVersions(fresh.feature(cluster::metadata_version_feature)).has_transactions;
  BeginTransactionRecord begin;
  begin.name = "Bootstrap records";
  if (as_transaction) change.add(begin);
  for (const auto& record : records) KQ_TRY(change.add_encoded(record));
  if (fresh.feature("eligible.leader.replicas.version") > 0) {
    // Eligible replicas hang on one bound for the whole cluster, so it has to be said.
    const auto set = options_.config.settings.find("min.insync.replicas");
    ConfigRecord min_isr;
    min_isr.resource_type = static_cast<int8_t>(cluster::ResourceType::broker);
    min_isr.name = "min.insync.replicas";
    min_isr.value = set != options_.config.settings.end() ? trimmed(set->second) : "1";
    change.add(min_isr);
  }
  if (as_transaction) change.add(EndTransactionRecord{});
  return append(change);
}

Status LocalController::register_controller() {
  if (!cluster::RecordVersions(appended_->feature(cluster::metadata_version_feature)).has_controller_registration) return {};
  ControllerImage controller;
  controller.id = options_.config.node_id;
  controller.incarnation_id = Uuid::random();
  controller.endpoints.push_back(endpoint_of(controller_endpoint(options_.config)));
  controller.features = supported_features();
  Change change(appended_);
  change.add(register_controller_record(controller));
  return append(change);
}

Status LocalController::register_broker(const std::vector<Listener>& advertised) {
  Change change(appended_);
  const int16_t version = change.versions().register_broker;
  BrokerImage broker;
  broker.id = options_.config.node_id;
  broker.incarnation_id = Uuid::random();
  broker.epoch = metadata_->end_offset();                      // where its record will lie
  for (const Listener& listener : advertised) broker.endpoints.push_back(endpoint_of(listener));
  broker.features = supported_features();
  broker.rack = options_.config.broker_rack;
  broker.log_dirs = options_.log_dirs;
  std::sort(broker.log_dirs.begin(), broker.log_dirs.end());
  change.add(register_broker_record(broker, version), version);
  broker_epoch_ = broker.epoch;
  return append(change);
}

Status LocalController::lead(bool after_crash) {
  const std::shared_ptr<const Image> before = appended_;
  const int32_t node = options_.config.node_id;
  std::optional<Change> change(std::in_place, appended_);
  BrokerRegistrationChangeRecord unfenced;
  unfenced.broker_id = node;
  unfenced.broker_epoch = broker_epoch_;
  unfenced.fenced = -1;
  change->add(unfenced);
  const int16_t version = change->versions().partition;
  Status outcome;
  before->topics.for_each([&](const auto&, const auto& topic) {
    for (size_t i = 0; i < topic->partitions.size() && outcome; ++i) {
      auto record = leadership(topic->partitions[i], node, after_crash, version);
      if (!record) continue;
      record->topic_id = topic->id;
      record->partition_id = static_cast<int32_t>(i);
      change->add(*record, version);
      if (change->records().size() < records_per_batch) continue;
      outcome = append(*change);
      change.emplace(appended_);
    }
  });
  if (!outcome) return outcome;
  return commit_now(*change);
}

}  // namespace kq::broker
