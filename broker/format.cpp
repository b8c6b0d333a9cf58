#include "broker/format.hpp"

#include "broker/cluster/features.hpp"
#include "broker/cluster/record_versions.hpp"
#include "broker/cluster/snapshot.hpp"
#include "broker/cluster/topic_name.hpp"
#include "libkq/protocol/record_frame.hpp"

namespace kq::broker {
namespace {

// Not by way of another name: until meta.properties is there, nobody reads it, and the next format writes it again.
Status write_file(log::FileSystem& files, const std::string& path, Bytes content) {
  KQ_TRY_ASSIGN(const auto file, files.open(path, log::OpenMode::create));
  const Bytes pieces[] = {content};
  KQ_TRY(file->write_at(0, pieces));
  KQ_TRY(file->truncate(content.size()));
  return file->sync();
}

// Feature levels of a fresh 4.2 cluster: records that its controller writes first.
std::vector<std::byte> bootstrap_checkpoint(int64_t now_ms) {
  cluster::SnapshotWriter writer({}, 0, now_ms);
  for (const cluster::Feature& feature : cluster::features) {
    if (feature.fresh == 0 || feature.name == cluster::kraft_version_feature) continue;
    FeatureLevelRecord record;
    record.name = feature.name;
    record.feature_level = feature.fresh;
    std::vector<std::byte> bytes;
    KQ_CHECK(write_metadata_record(record, 0, bytes));
    writer.add(bytes);
  }
  return writer.finish();
}

// The quorum of this node alone (KIP-853).
std::vector<std::byte> first_snapshot(const Config& config, const Uuid& directory_id, int64_t now_ms) {
  const Listener endpoint = controller_endpoint(config);
  cluster::Voter voter;
  voter.id = config.node_id;
  voter.directory_id = directory_id;
  voter.endpoints.push_back({endpoint.name, endpoint.host, endpoint.port, 0});
  voter.kraft_version = {0, 1};
  cluster::SnapshotHead head;
  head.last_contained_timestamp = now_ms;
  head.quorum = cluster::Quorum{.kraft_version = 1, .voters = {std::move(voter)}};
  return cluster::SnapshotWriter(head, 0, now_ms).finish();
}

// meta.properties comes last: where it is, the rest is.
Status format_one(const FormatRequest& request, log::LogDirectory& directory, const std::string& cluster_id, bool metadata) {
  log::MetaProperties meta;
  meta.cluster_id = cluster_id;
  meta.node_id = request.config.node_id;
  meta.directory_id = Uuid::random();
  KQ_TRY(write_file(request.files, directory.path() + "/bootstrap.checkpoint", bootstrap_checkpoint(request.now_ms)));
  if (metadata) {
    const std::string path = directory.path() + "/" + std::string(cluster::metadata_topic) + "-0";
    KQ_TRY(request.files.make_directory(path));
    KQ_TRY(write_file(request.files, path + "/" + cluster::SnapshotId{}.file_name(),
                      first_snapshot(request.config, meta.directory_id, request.now_ms)));
    KQ_TRY(request.files.sync_directory(path));
  }
  KQ_TRY(request.files.sync_directory(directory.path()));
  return directory.format(meta);
}

}  // namespace

Listener controller_endpoint(const Config& config) {
  constexpr uint16_t usual_port = 9093;
  Listener endpoint;
  if (!config.controller_listeners.empty()) endpoint = config.controller_listeners.front();
  else endpoint.port = usual_port;
  if (endpoint.name.empty()) endpoint.name = config.controller_listener_names.empty() ? "CONTROLLER" : config.controller_listener_names.front();
  if (endpoint.host.empty() || endpoint.host == "0.0.0.0" || endpoint.host == "::") endpoint.host = "localhost";
  return endpoint;
}

Result<std::string> format_directories(const FormatRequest& request, std::span<log::LogDirectory* const> directories) {
  const std::string* known = nullptr;
  for (const log::LogDirectory* directory : directories)
    if (directory->formatted() && !known) known = &directory->meta()->cluster_id;
  if (known && !directories.front()->formatted())
    return Error(own_code::data, directories.front()->path() +
                                     ", where the metadata log belongs, is empty, and other directories of log.dirs are in use: restore it, "
                                     "or name the right one first (or in metadata.log.dir)");
  if (request.cluster_id && !Uuid::parse(*request.cluster_id))
    return Error(own_code::argument, "cluster id '" + *request.cluster_id + "' is not one: kqd random-uuid makes one of 22 characters");
  const std::string cluster_id = known ? *known : request.cluster_id.value_or(Uuid::random().text());
  for (log::LogDirectory* directory : directories) {
    if (directory->formatted()) KQ_TRY(directory->check_owner(request.cluster_id.value_or(cluster_id), request.config.node_id));
    else KQ_TRY(format_one(request, *directory, cluster_id, directory == directories.front()));
  }
  return cluster_id;
}

}  // namespace kq::broker
