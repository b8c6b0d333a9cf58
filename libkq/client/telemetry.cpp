#include "libkq/client/telemetry.hpp"

#include "libkq/protocol/messages/get_telemetry_subscriptions.hpp"
#include "libkq/protocol/messages/push_telemetry.hpp"

namespace kq::client {
namespace {

constexpr Duration look_again_after = 5min;  // where nobody asks for metrics, or nobody can
constexpr Duration unreachable_again_after = 30s;
constexpr Duration push_interval_min = 100ms;
constexpr Duration last_push_max = 1s;  // closing is not to wait for longer
constexpr int64_t ns_in_ms = 1'000'000;

// The first that is offered: brokers name the one that they prefer first.
Codec codec_of(const std::vector<int8_t>& accepted) {
  for (const int8_t each : accepted)
    if (each >= 0 && each <= codec_max) return static_cast<Codec>(each);
  return Codec::none;
}

}  // namespace

Telemetry::Telemetry(std::shared_ptr<Cluster> cluster, std::string prefix, std::vector<Label> resource,
                     std::function<Measurements()> measure)
    : cluster_(std::move(cluster)), resource_(std::move(resource)), measure_(std::move(measure)), maker_(std::move(prefix)) {}

void Telemetry::start() { cluster_->loop().spawn(keep(shared_from_this())); }

void Telemetry::stop() {
  stopped_ = true;
  wake_.notify_all();
}

awaitable<bool> Telemetry::wait(Duration how_long) {
  const Instant until = Clock::now() + how_long;
  while (!stopped_ && !cluster_->closed() && Clock::now() < until) co_await wake_.wait_until(cluster_->loop(), until);
  co_return !stopped_ && !cluster_->closed();
}

// A push that the broker does not take leads back to the subscription, which may have changed.
awaitable<void> Telemetry::keep(std::shared_ptr<Telemetry> self) {
  while (!self->stopped_) {
    const Duration first = co_await self->subscribe();
    bool on = co_await self->wait(first);
    while (on && self->subscription_) {
      const Code code = co_await self->push(false, Clock::now() + self->cluster_->options().request_timeout);
      if (self->stopped_) co_return;
      const bool kept = code == Code::none || code == Code::telemetry_too_large || code == Code::throttling_quota_exceeded;
      if (!kept) break;
      on = co_await self->wait(self->subscription_->interval);
    }
    if (!on) co_return;
  }
}

awaitable<Duration> Telemetry::subscribe() {
  subscription_.reset();
  const Instant deadline = Clock::now() + cluster_->options().request_timeout;
  auto connection = co_await cluster_->connect(any_node, Channel::control, deadline);
  if (!connection || stopped_) co_return unreachable_again_after;
  const std::shared_ptr<Connection> held = *connection;
  if (!held->apis().has(GetTelemetrySubscriptionsRequest::key) || !held->apis().has(PushTelemetryRequest::key))
    co_return look_again_after;
  GetTelemetrySubscriptionsRequest request;
  request.client_instance_id = instance_id_;
  auto reply = co_await held->request(request, deadline);
  if (!reply || stopped_ || reply->message.error_code != Code::none) co_return look_again_after;
  const GetTelemetrySubscriptionsResponse& response = reply->message;
  if (!response.client_instance_id.is_zero()) instance_id_ = response.client_instance_id;
  Subscription told;
  told.id = response.subscription_id;
  told.interval = std::max<Duration>(push_interval_min, std::chrono::milliseconds(response.push_interval_ms));
  told.codec = codec_of(response.accepted_compression_types);
  told.bytes_max = static_cast<size_t>(std::max(0, response.telemetry_max_bytes));
  told.delta = response.delta_temporality;
  for (const std::string_view each : response.requested_metrics) told.metrics.emplace_back(each);
  if (told.metrics.empty()) co_return told.interval;
  maker_.begin(Clock::now(), measure_());
  measured_ns_ = wall_clock_ms() * ns_in_ms;
  // Clients that were started together are not to push together for ever.
  const auto first =
      Duration(static_cast<int64_t>(static_cast<double>(told.interval.count()) * (0.5 + cluster_->random().unit())));
  subscription_ = std::move(told);
  co_return first;
}

std::vector<std::byte> Telemetry::payload(const Subscription& of) {
  OtlpHead head{.resource = resource_, .from_ns = measured_ns_, .to_ns = wall_clock_ms() * ns_in_ms, .delta = of.delta};
  if (of.delta) measured_ns_ = head.to_ns;
  const std::vector<Metric> metrics = maker_.make(Clock::now(), measure_(), of.metrics, of.delta);
  return encode_otlp(head, metrics);
}

awaitable<Code> Telemetry::push(bool terminating, Instant deadline) {
  auto connection = co_await cluster_->connect(any_node, Channel::control, deadline);
  if (!connection || !subscription_) co_return Code::network_exception;
  const std::shared_ptr<Connection> held = *connection;
  if (!held->apis().has(PushTelemetryRequest::key)) co_return Code::unsupported_version;
  const Subscription subscription = *subscription_;
  const std::vector<std::byte> plain = payload(subscription);
  Block compressed;
  PushTelemetryRequest request;
  request.client_instance_id = instance_id_;
  request.subscription_id = subscription.id;
  request.terminating = terminating;
  request.metrics = plain;
  if (subscription.codec != Codec::none &&
      compressor_.compress(subscription.codec, codec_levels(subscription.codec).standard, plain, compressed)) {
    request.compression_type = static_cast<int8_t>(subscription.codec);
    request.metrics = compressed.bytes();
  }
  if (request.metrics.size() > subscription.bytes_max) {
    cluster_->logger().debug("telemetry", "the metrics take " + std::to_string(request.metrics.size()) +
                                              " bytes, where the broker takes " + std::to_string(subscription.bytes_max) +
                                              ": they are not pushed");
    co_return Code::telemetry_too_large;
  }
  auto reply = co_await held->request(request, deadline);
  if (!reply) co_return Code::network_exception;
  co_return reply->message.error_code;
}

awaitable<void> Telemetry::terminate(Instant deadline) {
  const auto self = shared_from_this();
  stop();
  if (!subscription_ || cluster_->closed()) co_return;
  const Instant soon = std::min(deadline, Clock::now() + last_push_max);
  co_await push(true, soon);
}

}  // namespace kq::client
