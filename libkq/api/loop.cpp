#include "libkq/api/handle.hpp"

using namespace kq;
using namespace kq::api;

kq_error* kq_loop_new(kq_loop_kind kind, kq_loop** out) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(out);
    if (kind != KQ_LOOP_THREAD && kind != KQ_LOOP_HOST)
      return Error(own_code::argument, "a loop is KQ_LOOP_THREAD or KQ_LOOP_HOST, and not " + std::to_string(kind));
    using Kind = client::Driver::Kind;
    *out = new kq_loop{std::make_shared<client::Driver>(kind == KQ_LOOP_THREAD ? Kind::thread : Kind::host)};
    return {};
  });
}

void kq_loop_free(kq_loop* loop) { delete loop; }

int kq_loop_fd(const kq_loop* loop) { return loop && loop->driver->hosted() ? loop->driver->loop().descriptor() : -1; }

int32_t kq_loop_next_deadline_ms(const kq_loop* loop) {
  return loop && loop->driver->hosted() ? loop->driver->next_deadline_ms() : -1;
}

kq_error* kq_loop_step(kq_loop* loop) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(loop);
    if (!loop->driver->hosted()) return Error(own_code::argument, "this loop has a thread of its own: only a KQ_LOOP_HOST is stepped");
    if (loop->driver->loop().forked()) return forked_error();
    loop->driver->step();
    if (auto fault = loop->driver->fault()) return std::move(*fault);
    return {};
  });
}
