// The share coordinator of a broker.
#pragma once

#include "broker/coordinator/runtime.hpp"
#include "broker/share/state_shard.hpp"

namespace kq::broker {
struct Broker;
}

namespace kq::share {

// Keys are Key::text().
class Coordinator final : public coordinator::Coordinator<StateShard> {
 public:
  explicit Coordinator(broker::Broker&);

  // A request on one share partition.  Resumes on `loop`; none, or why not: the runtime's reasons, or `decide`'s own.
  template <class Decision>  // Refusal(StateShard&, const Now&, Writes&)
  awaitable<Refusal> ask(Loop& loop, const Key& key, const Decision& decide) {
    Refusal refusal;
    const std::string text = key.text();
    const auto run_one = [&](StateShard& shard, const Now& now, Writes& writes) { refusal = decide(shard, now, writes); };
    const Code code = co_await run(loop, text, run_one);
    if (code != Code::none) refusal = {code, "The share coordinator cannot be asked now."};
    co_return refusal;
  }
};

}  // namespace kq::share
