#include "libkq/client/admin/admin.hpp"

namespace kq::client {
namespace {

Error closed_error() { return {own_code::closed, "the admin is closed"}; }

}  // namespace

Result<std::unique_ptr<kq_rows>> Admin::run(const admin::Request& request, int32_t timeout_ms) {
  KQ_TRY(request.check());
  const Instant deadline = timeout_ms < 0 ? Clock::now() + api_timeout_ : deadline_after(timeout_ms);
  return driver_->await<std::unique_ptr<kq_rows>>([&] { return request.operation().story(cluster_, request, deadline); });
}

Status Admin::start(const admin::Request& request, uint64_t tag) {
  KQ_TRY(request.check());
  std::lock_guard lock(mutex_);
  if (closed_) return closed_error();
  driver_->loop().post([self = shared_from_this(), request, tag, deadline = Clock::now() + api_timeout_] {
    self->driver_->loop().spawn(tell(self, request, tag, deadline));
  });
  return {};
}

awaitable<void> Admin::tell(std::shared_ptr<Admin> self, admin::Request request, uint64_t tag, Instant deadline) {
  auto told = co_await request.operation().story(self->cluster_, request, deadline);
  std::unique_ptr<kq_rows> rows;
  if (told) {
    rows = std::move(*told);
  } else {
    rows = std::make_unique<kq_rows>(request.operation().name, request.operation().columns);
    rows->failure = std::make_unique<kq_error>(kq_error::of(told.error()));
  }
  rows->tag = tag;
  std::lock_guard lock(self->mutex_);
  self->finished_.push_back(std::move(rows));
  self->beacon_.light(true);
  self->bell_.ring();
}

Result<std::unique_ptr<kq_rows>> Admin::poll(Instant deadline) {
  driver_->wait(bell_, deadline, [this] {
    std::lock_guard lock(mutex_);
    return may_have_something();
  });
  std::lock_guard lock(mutex_);
  if (finished_.empty()) {
    if (closed_) return closed_error();
    return std::unique_ptr<kq_rows>();
  }
  auto rows = std::move(finished_.front());
  finished_.pop_front();
  beacon_.light(may_have_something());
  return rows;
}

int Admin::descriptor() {
  std::lock_guard lock(mutex_);
  return beacon_.descriptor();
}

void Admin::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  beacon_.light(true);
  bell_.ring();
}

}  // namespace kq::client
