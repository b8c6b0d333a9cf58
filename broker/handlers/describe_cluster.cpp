// DescribeCluster, key 60, v0-2.  v1: brokers or controllers.  v2: fenced brokers.
#include "broker/broker.hpp"
#include "broker/handlers/describe_partition.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {

awaitable<DescribeClusterResponse> handle(Broker& broker, Call& call, const DescribeClusterRequest& request) {
  constexpr int8_t brokers = 1, controllers = 2;
  DescribeClusterResponse response;
  if (request.endpoint_type != brokers) {
    const bool known = request.endpoint_type == controllers;
    response.error_code = known ? Code::mismatched_endpoint_type : Code::unsupported_endpoint_type;
    response.error_message =
        known ? "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
              : call.keep("Unsupported endpoint type " + std::to_string(request.endpoint_type));
    co_return response;
  }
  response.cluster_id = broker.cluster_id;
  for (const auto& [id, state] : call.image->brokers) {
    if (state->fenced && !request.include_fenced_brokers) continue;
    const cluster::Endpoint* endpoint = state->endpoint(call.session.listener);
    if (!endpoint) continue;
    auto& node = response.brokers.emplace_back();
    node.broker_id = id;
    node.host = endpoint->host;
    node.port = endpoint->port;
    if (state->rack) node.rack = *state->rack;
    if (call.version >= 2) node.is_fenced = state->fenced;
  }
  response.controller_id = response.brokers.empty() ? -1 : broker.config.node_id;
  if (request.include_cluster_authorized_operations) response.cluster_authorized_operations = cluster_operations_all;
  co_return response;
}

}  // namespace kq::broker
