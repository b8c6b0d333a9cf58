// Topics that a broker creates because somebody asks for them.
#pragma once

#include "broker/cluster/image.hpp"
#include "broker/config.hpp"
#include "libkq/protocol/messages/create_topics.hpp"

namespace kq::broker {

// How a topic of this name is created when nobody said how: Kafka's settings for the internal ones, which here get as many replicas as
// there are brokers, the defaults for all others.  Views in it point into the configuration, and into `name`.
CreateTopicsRequest::CreatableTopic auto_topic(const Config&, const cluster::Image&, std::string_view name);

}  // namespace kq::broker
