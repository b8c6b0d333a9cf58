#include "libkq/protocol/messages/describe_cluster.hpp"

#include "libkq/client/admin/story.hpp"

namespace kq::client::admin {
namespace {

awaitable<Result<Rows>> tell(std::shared_ptr<Cluster> cluster, const Request&, Instant deadline) {
  const DescribeClusterRequest message;
  auto reply = co_await cluster->request(any_node, message, deadline);
  if (!reply) co_return std::move(reply.error());
  const DescribeClusterResponse& answer = reply->message;
  if (answer.error_code != Code::none) co_return no_to("describe_cluster", answer.error_code, answer.error_message);
  Rows rows = make_rows(describe_cluster);
  auto& row = rows->add().set("cluster_id", answer.cluster_id).set("controller", answer.controller_id);
  kq_rows& nodes = row.nested("nodes");
  std::vector<const DescribeClusterResponse::DescribeClusterBroker*> in_order;
  for (const auto& broker : answer.brokers) in_order.push_back(&broker);
  std::ranges::sort(in_order, {}, [](const auto* broker) { return broker->broker_id; });
  for (const auto* broker : in_order) {
    auto& node = nodes.add().set("node", broker->broker_id).set("host", broker->host).set("port", broker->port);
    node.set("rack", broker->rack).set("fenced", broker->is_fenced);
  }
  co_return rows;
}

constexpr kq_field columns[] = {
    column("cluster_id", 's', "The cluster's id."),
    column("controller", 'i', "The broker that answers for the controller; -1: none at the moment."),
    column("nodes", 'r', "Each broker."),
    column("nodes.node", 'i', "Its id."),
    column("nodes.host", 's', "Where it is reached."),
    column("nodes.port", 'i', "Likewise."),
    nullable(column("nodes.rack", 's', "Its rack.")),
    column("nodes.fenced", 'i', "1: the controller has taken it out of service."),
};

}  // namespace

constinit const Operation describe_cluster{"describe_cluster", "The cluster's id, controller and brokers.", {}, columns, true, tell};

}  // namespace kq::client::admin
