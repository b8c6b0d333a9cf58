// What the handlers of group requests share.
#pragma once

#include <string>
#include <string_view>

#include "broker/broker.hpp"
#include "broker/group/coordinator.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {

// READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS: what anybody may do as long as there are no rights.
constexpr int32_t group_operations_all = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

// As Java writes an address: "/127.0.0.1".
inline std::string client_host(const Session& session) { return "/" + session.peer.substr(0, session.peer.rfind(':')); }

inline group::Caller caller_of(Call& call) { return {call.version, call.client_id, call.keep(client_host(call.session))}; }

// The response of an answer, whose views live as long as the call.
template <class Response>
Response take(Call& call, group::Answer<Response>&& answer) {
  call.keep(std::shared_ptr<const group::Texts>(std::move(answer.texts)));
  return std::move(answer.body);
}

// Answers for each group that is asked about, each from its own coordinator.
template <class Response, class Request, class Describe>  // void(GroupShard&, std::string_view id, DescribedGroup&, Texts&)
awaitable<Response> describe_each(Broker& broker, Call& call, const Request& request, Describe describe) {
  Response response;
  for (const std::string_view id : request.group_ids) {
    auto texts = std::make_shared<group::Texts>();
    typename Response::DescribedGroup told;
    const auto look = [&](group::GroupShard& shard, const coordinator::Now&, coordinator::Writes&) {
      describe(shard, id, told, *texts);
    };
    const Code code = id.empty() ? Code::invalid_group_id : co_await broker.groups().run(call.loop, id, look);
    call.keep(std::shared_ptr<const group::Texts>(std::move(texts)));
    if (code != Code::none) {
      told = {};
      told.group_id = id;
      told.error_code = code;
    } else if (request.include_authorized_operations && told.error_code == Code::none) {
      told.authorized_operations = group_operations_all;
    }
    response.groups.push_back(std::move(told));
  }
  co_return response;
}

// Of one topic whose offsets are to be committed, what the coordinator gets: the partitions that exist.  The others are answered with
// `missing`, and all have their place in the answer.
template <class Topic, class TopicAnswer>
void keep_existing(const Topic& asked, const cluster::TopicImage* image, Code missing, Topic& kept, TopicAnswer& answer) {
  for (const auto& partition : asked.partitions) {
    auto& told = answer.partitions.emplace_back();
    told.partition_index = partition.partition_index;
    if (image && image->partition(partition.partition_index))
      kept.partitions.push_back(partition);
    else
      told.error_code = missing;
  }
}

// Gives each partition that was kept its outcome: what refused them all, or what the coordinator decided.
template <class Response>
void tell_outcome(Response& response, Code of_all, const Response& decided) {
  size_t topic = 0;
  for (auto& answer : response.topics) {
    size_t partition = 0;
    for (auto& told : answer.partitions) {
      if (told.error_code != Code::none) continue;
      told.error_code = of_all != Code::none ? of_all : decided.topics[topic].partitions[partition].error_code;
      ++partition;
    }
    topic += partition > 0;
  }
}

}  // namespace kq::broker
