// All that kqd speaks: one table, from which requests are served and ApiVersions answers.
#pragma once

#include <span>

#include "broker/session.hpp"
#include "libkq/protocol/frame.hpp"

namespace kq::broker {

struct Broker;

// What became of a request.
enum class Outcome {
  answered,           // the frame stands in `to`; splices name Call::slices
  unreadable,         // the body is not that request: the connection is to be closed
  failed,             // a fault of kqd, told in Call::close_reason: the connection is to be closed
};

struct Api {
  int16_t key;
  int16_t oldest, newest;                         // what is served; newest is the latest stable version
  int16_t listed_from;                            // what ApiVersions lists as oldest: Produce stands there from 0 (wire.md)
  int16_t flexible;
  const char* name;
  bool overlaps;                                  // the connection's next request may begin at Call::took_effect()
  // Decodes `body`, calls the handler, encodes its response behind `to`.  `body` outlives the call.
  awaitable<Outcome> (*serve)(Broker&, Call&, Bytes body, Encoded& to);

  bool serves(int16_t version) const { return version >= oldest && version <= newest; }
};

// In the order of their keys.
std::span<const Api> apis();
const Api* find_api(int16_t key);                 // nullptr: kqd does not speak it

}  // namespace kq::broker
