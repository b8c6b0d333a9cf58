// An answer that comes later: a state machine resolves it, a handler waits for it.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "broker/session.hpp"

namespace kq::coordinator {

// What a state machine keeps of a request that it cannot answer yet.  Called once; on any thread.
template <class Answer>
using Resolve = std::function<void(Answer)>;

// Belongs to a handler, on its call's loop.
//
//   Later<JoinAnswer> later(call);
//   code = co_await groups.run(call.loop, group_id, [&](GroupShard& shard, Writes& writes) { shard.join(…, later.resolve(), writes); });
//   if (code == Code::none) answer = co_await later.wait();      // nothing: the connection has closed, and nobody will read it
template <class Answer>
class Later {
 public:
  explicit Later(broker::Call& call) : call_(call), state_(std::make_shared<State>(call.loop)) {}
  Later(const Later&) = delete;

  Resolve<Answer> resolve() {
    return [state = state_](Answer answer) {
      state->loop.post([state, answer = std::move(answer)]() mutable {
        state->answer = std::move(answer);
        state->signal.notify();
      });
    };
  }

  awaitable<std::optional<Answer>> wait() {
    call_.awaited = &state_->signal;
    while (!state_->answer && !call_.cancelled) co_await state_->signal.wait();
    call_.awaited = nullptr;
    co_return std::move(state_->answer);
  }

 private:
  struct State {
    explicit State(Loop& on) : loop(on), signal(on.context()) {}
    Loop& loop;
    Signal signal;
    std::optional<Answer> answer;
  };

  broker::Call& call_;
  const std::shared_ptr<State> state_;
};

}  // namespace kq::coordinator
