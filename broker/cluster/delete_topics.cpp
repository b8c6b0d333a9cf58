// Topics that go: by name, or by id (version 6 on).
#include <map>
#include <set>

#include "broker/cluster/decide.hpp"
#include "broker/session.hpp"

namespace kq::broker {
namespace {

using cluster::Change;
using cluster::Fault;
using Result = DeleteTopicsResponse::DeletableTopicResult;
using State = DeleteTopicsRequest::DeleteTopicState;

std::vector<State> wanted(const DeleteTopicsRequest& request) {
  if (!request.topics.empty()) return request.topics;
  std::vector<State> topics;
  for (const std::string_view name : request.topic_names) {
    State& topic = topics.emplace_back();
    topic.name = name;
  }
  return topics;
}

// Which topic is meant; nothing that is named twice, in whichever way.
std::optional<Fault> check(const Config& config, const Change& change, const State& topic, const cluster::TopicImage*& found) {
  if (!config.delete_topic_enable) return Fault{Code::topic_deletion_disabled, "Topic deletion is disabled."};
  if (topic.name && !topic.topic_id.is_zero())
    return Fault{Code::invalid_request, "You may not specify both topic name and topic id."};
  if (!topic.name && topic.topic_id.is_zero()) return Fault{Code::invalid_request, "Neither topic name nor id were specified."};
  found = topic.name ? change.image().topic(*topic.name) : change.image().topic(topic.topic_id);
  if (found) return std::nullopt;
  if (topic.name) return Fault{Code::unknown_topic_or_partition, "This server does not host this topic-partition."};
  return Fault{Code::unknown_topic_id, "This server does not host this topic ID."};
}

}  // namespace

DeleteTopicsResponse decide(const Deciding& with, Change& change, const DeleteTopicsRequest& request) {
  DeleteTopicsResponse response;
  const auto topics = wanted(request);
  std::map<std::string_view, int> names;
  std::map<Uuid, int> ids;
  for (const State& topic : topics) {
    if (topic.name) ++names[*topic.name];
    else if (!topic.topic_id.is_zero()) ++ids[topic.topic_id];
  }
  std::set<std::string_view> told;
  std::set<Uuid> told_ids;
  for (const State& topic : topics) {
    if (topic.name ? !told.insert(*topic.name).second : !topic.topic_id.is_zero() && !told_ids.insert(topic.topic_id).second) continue;
    Result& result = response.responses.emplace_back();
    result.topic_id = topic.topic_id;
    if (topic.name) result.name = *topic.name;
    else result.name.reset();
    const bool name_twice = topic.name && names[*topic.name] > 1;
    const bool id_twice = !topic.name && !topic.topic_id.is_zero() && ids[topic.topic_id] > 1;
    const cluster::TopicImage* found = nullptr;
    std::optional<Fault> fault;
    if (name_twice || id_twice) fault = Fault{Code::invalid_request, name_twice ? "Duplicate topic name." : "Duplicate topic id."};
    else fault = check(with.config, change, topic, found);
    if (fault) {
      result.error_code = fault->code;
      result.error_message = with.call.keep(std::move(fault->message));
      continue;
    }
    result.name = with.call.keep(std::string(found->name));
    result.topic_id = found->id;
    RemoveTopicRecord record;
    record.topic_id = found->id;
    change.add(record);
  }
  return response;
}

}  // namespace kq::broker
