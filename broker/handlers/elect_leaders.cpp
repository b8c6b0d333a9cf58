// ElectLeaders, key 43, v0-2.  v1: unclean elections (KIP-460).  v2: flexible.
#include "broker/broker.hpp"
#include "broker/cluster/image.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {
namespace {

using Result = ElectLeadersResponse::ReplicaElectionResult;

constexpr int8_t preferred = 0, unclean = 1;

struct Election {
  Code code = Code::none;
  std::string message;
};

// A replica that is alive leads as soon as it is; so there is nothing left to elect here but what no election could bring about.
Election elect(const cluster::Image& image, std::string_view topic_name, int32_t index, int8_t type) {
  const cluster::TopicImage* topic = image.topic(topic_name);
  if (!topic) return {Code::unknown_topic_or_partition, "No such topic as " + std::string(topic_name)};
  const cluster::PartitionImage* partition = topic->partition(index);
  if (!partition)
    return {Code::unknown_topic_or_partition, "No such partition as " + std::string(topic_name) + "-" + std::to_string(index)};
  const bool done = type == unclean ? partition->leader != cluster::no_leader : partition->leader == partition->replicas.front();
  if (done) return {Code::election_not_needed, "Leader election not needed for topic partition."};
  if (type == unclean) return {Code::eligible_leaders_not_available, "Eligible topic partition leaders are not available."};
  return {Code::preferred_leader_not_available, "The preferred leader was not available."};
}

void add(Call& call, Result& result, int32_t index, Election&& election) {
  auto& told = result.partition_result.emplace_back();
  told.partition_id = index;
  told.error_code = election.code;
  told.error_message = call.keep(std::move(election.message));
}

// Every partition that does not have the leader it should have.
void elect_all(Call& call, int8_t type, ElectLeadersResponse& response) {
  call.image->topics.for_each([&](const std::string& name, const auto& topic) {
    Result result;
    result.topic = name;
    for (size_t index = 0; index < topic->partitions.size(); ++index) {
      Election election = elect(*call.image, name, static_cast<int32_t>(index), type);
      if (election.code != Code::election_not_needed) add(call, result, static_cast<int32_t>(index), std::move(election));
    }
    if (!result.partition_result.empty()) response.replica_election_results.push_back(std::move(result));
  });
}

}  // namespace

awaitable<ElectLeadersResponse> handle(Broker&, Call& call, const ElectLeadersRequest& request) {
  ElectLeadersResponse response;
  const int8_t type = call.version == 0 ? preferred : request.election_type;
  if (type != preferred && type != unclean) {
    response.error_code = Code::invalid_request;
  } else if (!request.topic_partitions) {
    elect_all(call, type, response);
  } else {
    for (const auto& topic : *request.topic_partitions) {
      auto& result = response.replica_election_results.emplace_back();
      result.topic = topic.topic;
      for (const int32_t index : topic.partitions) add(call, result, index, elect(*call.image, topic.topic, index, type));
    }
  }
  co_return response;
}

}  // namespace kq::broker
