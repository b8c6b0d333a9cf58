// The seam between serving requests and deciding what the cluster's metadata is to be.
#pragma once

#include <functional>
#include <memory>

#include "broker/cluster/image.hpp"
#include "libkq/net/awaitable.hpp"
#include "libkq/net/loop.hpp"
#include "libkq/protocol/messages/alter_configs.hpp"
#include "libkq/protocol/messages/create_partitions.hpp"
#include "libkq/protocol/messages/create_topics.hpp"
#include "libkq/protocol/messages/delete_topics.hpp"
#include "libkq/protocol/messages/incremental_alter_configs.hpp"

namespace kq::broker {

struct Call;

struct ProducerIdBlock {
  int64_t first = -1;
  int32_t count = 0;
};

// On a single node LocalController answers, later a quorum's active controller.  Code that serves requests asks this and the image,
// and never which of the two it is.
//
// A method validates, makes the change durable, publishes the next image (and lets the broker act on it: a created topic's partitions
// exist), and only then answers.  What the response's views need lives in the Call.  Any loop may call; the coroutine resumes on the
// call's loop.  What goes wrong is said in the response, in Kafka's codes; after the metadata log's directory has failed everything
// answers KAFKA_STORAGE_ERROR.
class Controller {
 public:
  virtual ~Controller() = default;

  virtual awaitable<CreateTopicsResponse> create_topics(Call&, const CreateTopicsRequest&) = 0;
  virtual awaitable<DeleteTopicsResponse> delete_topics(Call&, const DeleteTopicsRequest&) = 0;
  virtual awaitable<CreatePartitionsResponse> create_partitions(Call&, const CreatePartitionsRequest&) = 0;
  virtual awaitable<AlterConfigsResponse> alter_configs(Call&, const AlterConfigsRequest&) = 0;
  virtual awaitable<IncrementalAlterConfigsResponse> incremental_alter_configs(Call&, const IncrementalAlterConfigsRequest&) = 0;
  // A block of ids that no other caller will ever get.
  virtual awaitable<Result<ProducerIdBlock>> allocate_producer_ids(Loop&) = 0;
};

}  // namespace kq::broker
