// kq_share_consumer: the handle.
#pragma once

#include "libkq/api/consumer_handle.hpp"
#include "libkq/client/share_consumer.hpp"

struct kq_share_consumer : kq::api::ConsumerHandle<kq::client::ShareConsumer> {
  using ConsumerHandle::ConsumerHandle;
};

namespace kq::api {
inline Status closed_share_consumer_error() { return Error(own_code::closed, "the share consumer is closed"); }
}  // namespace kq::api
