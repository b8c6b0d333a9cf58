// One handler an api, each in a file of its name.  All have one form:
//
//   awaitable<XResponse> handle(Broker&, Call&, const XRequest&);
//
// A handler runs on the loop of the connection that asked.  What can go wrong it says in the response; it throws nothing.  What the
// response points to is kept alive by the Call (session.hpp).  dispatch.cpp's table names those that kqd speaks.
#pragma once

#include "broker/session.hpp"
#include "libkq/net/awaitable.hpp"
#include "libkq/protocol/messages/fetch.hpp"
#include "libkq/protocol/messages/init_producer_id.hpp"
#include "libkq/protocol/messages/list_offsets.hpp"
#include "libkq/protocol/messages/offset_for_leader_epoch.hpp"
#include "libkq/protocol/messages/produce.hpp"

namespace kq::broker {

struct Broker;

awaitable<ProduceResponse> handle(Broker&, Call&, const ProduceRequest&);
awaitable<FetchResponse> handle(Broker&, Call&, const FetchRequest&);
awaitable<ListOffsetsResponse> handle(Broker&, Call&, const ListOffsetsRequest&);
awaitable<InitProducerIdResponse> handle(Broker&, Call&, const InitProducerIdRequest&);
awaitable<OffsetForLeaderEpochResponse> handle(Broker&, Call&, const OffsetForLeaderEpochRequest&);

}  // namespace kq::broker
