// The C ABI of the embedded broker: kq/broker.h over Instance.
#include <atomic>
#include <mutex>
#include <optional>

#include "broker/instance.hpp"
#include "include/kq/broker.h"

using namespace kq;
using namespace kq::broker;

struct kq_broker {
  std::unique_ptr<Instance> instance;
  std::vector<std::string> addresses;
  uint64_t fork = fork_generation();
  bool stopped = false;

  // What broke; shared with the loops, which may tell it before start() has returned.
  struct Failure {
    std::mutex mutex;
    std::optional<std::string> message;
  };
  std::shared_ptr<Failure> failure = std::make_shared<Failure>();
};

namespace {

kq_error* error_of(const Error& error) {
  return kq_error_new(error.code(), static_cast<kq_verdict>(error.verdict()), error.message().c_str());
}

std::string words_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& exception) {
    return exception.what();
  } catch (...) {
    return "an exception of no known kind";
  }
}

// No exception leaves the library.
template <class Body>
kq_error* guard(Body&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return kq_error_new(KQ_ERR_NO_MEMORY, KQ_RETRY, "the broker: out of memory");
  } catch (const std::exception& exception) {
    return kq_error_new(KQ_ERR_INTERNAL, KQ_FATAL, exception.what());
  }
}

Result<Config> config_of(const kq_config* given) {
  Settings settings;
  for (size_t i = 0; i < kq_config_count(given); ++i) settings[kq_config_key_at(given, i)] = kq_config_value_at(given, i);
  if (!settings.contains("log.dirs") && !settings.contains("log.dir"))
    return Error(own_code::config, "log.dirs is not set: an embedded broker has to be told where its data goes");
  if (!settings.contains("listeners")) settings["listeners"] = "PLAINTEXT://127.0.0.1:0";
  return Config::from(std::move(settings));
}

kq_error* start(const kq_config* given, int log_descriptor, kq_broker** out) {
  if (!given || !out) return kq_error_new(KQ_ERR_ARGUMENT, KQ_REFUSED, "kq_broker_start: config and out must be there");
  auto config = config_of(given);
  if (!config) return error_of(config.error());
  auto broker = std::make_unique<kq_broker>();
  auto instance = Instance::start(std::move(*config), log_descriptor, LogLevel::info, [failure = broker->failure](std::exception_ptr what) {
    std::lock_guard lock(failure->mutex);
    if (!failure->message) failure->message = words_of(what);
  });
  if (!instance) return error_of(instance.error());
  broker->instance = std::move(*instance);
  for (const kq::broker::Listener& listener : broker->instance->listening())
    broker->addresses.push_back(Address{listener.host.empty() ? "127.0.0.1" : listener.host, listener.port}.text());
  *out = broker.release();
  return nullptr;
}

}  // namespace

extern "C" {

kq_error* kq_broker_start(const kq_config* config, int log_descriptor, kq_broker** out) {
  return guard([&] { return start(config, log_descriptor, out); });
}

const char* kq_broker_address(const kq_broker* broker, size_t index) {
  return broker && index < broker->addresses.size() ? broker->addresses[index].c_str() : nullptr;
}

kq_error* kq_broker_failure(const kq_broker* broker) {
  if (!broker) return nullptr;
  std::lock_guard lock(broker->failure->mutex);
  return broker->failure->message ? kq_error_new(KQ_ERR_INTERNAL, KQ_FATAL, broker->failure->message->c_str()) : nullptr;
}

kq_error* kq_broker_stop(kq_broker* broker) {
  return guard([&]() -> kq_error* {
    if (!broker) return nullptr;
    if (broker->fork != fork_generation()) return kq_error_new(KQ_ERR_FORKED, KQ_FATAL, "the broker lives in the parent of this process");
    if (std::exchange(broker->stopped, true)) return kq_error_new(KQ_ERR_CLOSED, KQ_REFUSED, "the broker was stopped before");
    const Status left = broker->instance->stop();
    return left ? nullptr : error_of(left.error());
  });
}

void kq_broker_free(kq_broker* broker) {
  if (!broker) return;
  if (broker->fork != fork_generation()) (void)broker->instance.release();      // its threads are not here: nothing can be joined
  delete broker;
}

}  // extern "C"
