#include "libkq/api/handle.hpp"

namespace kq::api {

Error forked_error() {
  return {own_code::forked, "this handle was made before a fork, in the parent: make one in the child", Verdict::fatal};
}

Error Handle::unusable() const {
  if (forked()) return forked_error();
  if (auto fault = driver_->fault()) return std::move(*fault);
  std::lock_guard lock(mutex_);
  return fault_ ? *fault_ : forked_error();
}

void Handle::fail(const Error& fault) {
  std::lock_guard lock(mutex_);
  if (!fault_) fault_ = fault;
  faulty_ = true;
}

std::shared_ptr<client::Driver> make_driver(kq_loop* loop) {
  return loop ? loop->driver : std::make_shared<client::Driver>(client::Driver::Kind::thread);
}

SocketOptions socket_options(const client::Config& config) {
  return {.send_buffer_bytes = config.send_buffer_bytes, .receive_buffer_bytes = config.receive_buffer_bytes};
}

Result<std::shared_ptr<client::Cluster>> make_cluster(client::Driver& driver, const client::Config& config) {
  KQ_TRY_ASSIGN(auto options, client::ClusterOptions::from(config));
  return client::Cluster::make(driver.loop(), driver.network(socket_options(config)),
                               driver.logger(config.log_descriptor, config.log_level), std::move(options));
}

}  // namespace kq::api
