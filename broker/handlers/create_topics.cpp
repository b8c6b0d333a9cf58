// CreateTopics, key 19, v2-7.  v5: flexible; partitions, replicas and settings of what was created.  v7: topic id.
#include "broker/broker.hpp"
#include "broker/cluster/controller.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {

awaitable<CreateTopicsResponse> handle(Broker& broker, Call& call, const CreateTopicsRequest& request) {
  if (request.timeout_ms > 0 || request.validate_only) co_return co_await broker.controller->create_topics(call, request);
  CreateTopicsResponse response;                         // a deadline that has passed already
  for (const auto& topic : request.topics) {
    auto& result = response.topics.emplace_back();
    result.name = topic.name;
    result.error_code = Code::request_timed_out;
    result.error_message.reset();
  }
  co_return response;
}

}  // namespace kq::broker
