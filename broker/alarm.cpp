#include "broker/alarm.hpp"

namespace kq::broker {

// Calls that are posted to the loop hold it.
struct Alarm::State {
  State(Loop& loop, IoPool& io, std::function<void()> due) : io(io), due(std::move(due)), timer(loop, [this] { this->io.submit(this->due); }) {}
  IoPool& io;
  const std::function<void()> due;
  Timer timer;
  bool stopped = false;                           // the loop's thread
};

Alarm::Alarm(Loop& loop, IoPool& io, std::function<void()> due) : loop_(loop), state_(std::make_shared<State>(loop, io, std::move(due))) {}

void Alarm::arm(Instant deadline) {
  loop_.post([state = state_, deadline] {
    if (state->stopped || (state->timer.armed() && state->timer.deadline() <= deadline)) return;
    state->timer.arm(deadline);
  });
}

void Alarm::stop() {
  state_->stopped = true;
  state_->timer.disarm();
}

void Pieces::later(std::function<void()> piece) {
  loop_.post([stopped = stopped_, &io = io_, piece = std::move(piece)] {
    if (!*stopped) io.submit(piece);
  });
}

}  // namespace kq::broker
