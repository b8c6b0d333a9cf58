// What belongs to one loop of a broker, and is touched on that loop's thread alone.
#pragma once

#include "broker/connection.hpp"
#include "libkq/net/loop.hpp"
#include "libkq/record/validate.hpp"

namespace kq::broker {

struct Worker {
  explicit Worker(Loop& loop) : loop(loop) {}

  Loop& loop;
  Connections connections;                        // those that are open
  BatchValidator validator;                       // keeps its codecs' memory between requests
};

}  // namespace kq::broker
