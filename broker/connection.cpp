#include "broker/connection.hpp"

#include <array>
#include <boost/asio/post.hpp>

#include "broker/broker.hpp"
#include "broker/server.hpp"
#include "broker/worker.hpp"
#include "libkq/protocol/messages/api_versions.hpp"

namespace kq::broker {

struct Connection::Request {
  Request(Session& session, Worker& worker, std::shared_ptr<const cluster::Image> image, const RequestFrame& request, const Api* api)
      : call(session, worker, worker.loop, std::move(image), request.version()), body(request.body), api(api) {
    call.correlation_id = request.header.correlation_id;
    call.client_id = request.header.client_id.value_or(std::string_view{});
  }

  size_t bytes() const { return body.size() + frame.bytes.size() + call.kept_bytes(); }

  Call call;
  Bytes body;
  const Api* api;
  std::shared_ptr<std::byte[]> block;             // holds the body while others may be read
  Encoded frame;
  Answer answer;
  size_t charged_bytes = 0;                       // in unanswered_bytes_
  size_t granted_bytes = 0;                       // of the budget for large frames
  bool ready = false;
};

Connection::Connection(Broker& broker, Worker& worker, const ConnectionLimits& limits, ByteBudget& large_frames,
                       std::unique_ptr<Stream> stream, Session session, std::unique_ptr<Admission> admission)
    : broker_(broker), worker_(worker), limits_(limits), large_frames_(large_frames), admission_(std::move(admission)), stream_(std::move(stream)), session_(std::move(session)), input_(limits.frame_bytes_max),
      room_(stream_->loop().context()), active_(Clock::now()), watchdog_(stream_->loop(), [this] { watch(); }) {
  watch_until(active_ + limits_.idle_max);
}

Connection::~Connection() {
  large_frames_.give(granted_bytes_);
  for (const Request& request : requests_) large_frames_.give(request.granted_bytes);
}

void Connection::close(std::string_view reason) {
  if (stream_->closed()) return;
  if (!reason.empty()) broker_.peer_log.write(session_.peer + ": closed: " + std::string(reason));
  stream_->close();
  for (Request& request : requests_) {
    request.call.cancelled = true;
    if (request.call.awaited) request.call.awaited->notify();
  }
  room_.notify();
}

awaitable<void> Connection::run(std::shared_ptr<Connection> connection) {
  try {
    co_await connection->read_and_serve();
  } catch (const std::bad_alloc&) {
    connection->close("out of memory");
  }
  for (const auto& ended : connection->session_.closing) ended();
}

awaitable<void> Connection::read_and_serve() {
  while (!stream_->closed()) {
    auto frame = input_.next();
    if (!frame) {
      close(frame.error().message());
    } else if (*frame) {
      if (!co_await serve(**frame)) break;
    } else {
      flush();
      if (!co_await fill()) break;
    }
  }
  close("");
}

awaitable<bool> Connection::fill() {
  if (drained_) co_await wait_for_bytes();
  while (!stream_->closed()) {
    if (!may_read_on()) {
      co_await stream_->loop().sleep_until(Clock::now() + limits_.large_frame_pause);
      continue;
    }
    const MutableBytes space = input_.space();
    const Transfer read = stream_->try_read(space);
    if (read.moved()) {
      input_.filled(read.bytes);
      drained_ = read.bytes < space.size() && stream_->short_read_empties();
      active_ = Clock::now();
      turn_bytes_ += read.bytes;
      if (turn_bytes_ >= limits_.turn_bytes_max) {
        turn_bytes_ = 0;
        constexpr UseAwaitable awaited;
        co_await asio::post(stream_->loop().context(), awaited);
      }
      co_return true;
    }
    if (!read.blocked()) co_return false;         // the peer has left; that is no news
    co_await wait_for_bytes();
  }
  co_return false;
}

bool Connection::may_read_on() {
  const size_t claimed = input_.claimed_bytes();
  if (claimed <= limits_.large_frame_bytes || granted_bytes_ > 0) return true;
  if (!large_frames_.take(claimed)) return false;
  granted_bytes_ = claimed;
  return true;
}

// Without a buffer, unless a part of a frame is in it; and that has to become whole in time.
awaitable<void> Connection::wait_for_bytes() {
  drained_ = false;
  turn_bytes_ = 0;
  if (input_.buffered_bytes() == 0) {
    frame_due_.reset();
    input_.release();
  } else if (!frame_due_) {
    const auto seconds = input_.claimed_bytes() / limits_.frame_bytes_per_second_min;
    frame_due_ = active_ + limits_.frame_grace + std::chrono::seconds(seconds);
    watch_until(*frame_due_);
  }
  co_await stream_->readable();
}

bool Connection::full() const {
  return !requests_.empty() && (requests_.size() >= limits_.unanswered_max || unanswered_bytes_ >= limits_.unanswered_bytes_max);
}

awaitable<void> Connection::room() {
  while (full() && !stream_->closed()) {
    flush();
    room_.forget();
    if (full()) co_await room_.wait();
  }
}

awaitable<bool> Connection::serve(Bytes frame) {
  frame_due_.reset();
  const auto request_frame = read_request(frame);
  if (!request_frame) {
    close("a request whose header cannot be read, or of an api that does not exist");
    co_return false;
  }
  const Api* api = find_api(request_frame->header.request_api_key);
  const bool is_api_versions = request_frame->api() == ApiKey::api_versions;
  if (!api || (!api->serves(request_frame->version()) && !is_api_versions)) {
    const ApiInfo* info = api_info(request_frame->api());
    close("a request of " + std::string(info->name) + " version " + std::to_string(request_frame->version()) +
          (api ? ", which is out of range: kqd speaks " + std::to_string(api->oldest) + " to " + std::to_string(api->newest)
               : ", which kqd does not speak yet"));
    co_return false;
  }
  if (full()) co_await room();
  if (stream_->closed()) co_return false;

  Request& request = requests_.emplace_back(session_, worker_, broker_.image(), *request_frame, api);
  request.granted_bytes = std::exchange(granted_bytes_, 0);
  request.charged_bytes = request.bytes();
  unanswered_bytes_ += request.charged_bytes;
  if (!api->serves(request_frame->version())) {
    refuse_api_versions(request);
  } else if (api->overlaps && broker_.commits_may_wait()) {
    Signal effect(stream_->loop().context());
    request.call.effect = &effect;
    request.block = input_.share();
    stream_->loop().spawn(handle_apart(shared_from_this(), request));
    co_await effect.wait();
  } else {
    if (!api->overlaps) flush();                  // this one may take its time: what is ready leaves before it
    co_await handle(request);
  }
  co_return !stream_->closed();
}

// Runs beside run(), which goes on when the request has had its effect.
awaitable<void> Connection::handle_apart(std::shared_ptr<Connection> connection, Request& request) {
  co_await connection->handle(request);
  connection->flush();
}

awaitable<void> Connection::handle(Request& request) {
  Outcome outcome = Outcome::failed;
  try {
    outcome = co_await request.api->serve(broker_, request.call, request.body, request.frame);
  } catch (const std::bad_alloc&) {
    request.call.close_reason = "out of memory";
  }
  request.call.took_effect();
  finish(request, outcome);
}

void Connection::refuse_api_versions(Request& request) {
  ApiVersionsResponse response;
  response.error_code = Code::unsupported_version;
  auto& own = response.api_keys.emplace_back();
  own.api_key = ApiVersionsRequest::key;
  own.min_version = request.api->oldest;
  own.max_version = request.api->newest;
  const bool written = encode_response(response, 0, request.call.correlation_id, request.frame);
  finish(request, written ? Outcome::answered : Outcome::failed);
}

void Connection::finish(Request& request, Outcome outcome) {
  request.ready = true;
  if (stream_->closed()) return;
  const std::string what = std::string(request.api->name) + " version " + std::to_string(request.call.version);
  switch (outcome) {
    case Outcome::unreadable: return close("a request of " + what + " that cannot be read");
    case Outcome::failed: return close("a request of " + what + " failed: " + request.call.close_reason);
    case Outcome::answered: break;
  }
  if (request.call.close_after && !request.call.answer) return close(request.call.close_reason);
  if (request.call.answer) request.answer = Answer(request.frame, request.call.slices);
  unanswered_bytes_ += request.bytes() - request.charged_bytes;
  request.charged_bytes = request.bytes();
}

void Connection::flush() {
  if (draining_ || stream_->closed()) return;
  if (send_ready() != Transfer::State::blocked) return;
  draining_ = true;
  stream_->loop().spawn(drain(shared_from_this()));
}

awaitable<void> Connection::drain(std::shared_ptr<Connection> connection) {
  do {
    co_await connection->stream_->writable();
  } while (!connection->stream_->closed() && connection->send_ready() == Transfer::State::blocked);
  connection->draining_ = false;
}

// Sends what is ready, as much at a time as the kernel takes.  `moved`: all of it has left.
Transfer::State Connection::send_ready() {
  constexpr size_t pieces_max = 64;
  for (;;) {
    retire();
    if (stream_->closed() || requests_.empty() || !requests_.front().ready) return Transfer::State::moved;
    std::array<Bytes, pieces_max> pieces;
    size_t count = 0;
    Answer::Piece file;
    for (auto request = requests_.begin(); !file.file && count < pieces_max && request != requests_.end() && request->ready; ++request) {
      Answer cursor = request->answer;
      while (auto piece = cursor.next()) {
        if (piece->file) {
          file = *piece;
          break;
        }
        pieces[count++] = piece->bytes;
        if (count == pieces_max) break;
      }
    }
    const Transfer sending = count > 0 ? stream_->try_write({pieces.data(), count}, file.file != nullptr)
                                       : stream_->try_send_file(*file.file->file, file.position, file.size);
    if (sending.state == Transfer::State::blocked) return sending.state;
    if (!sending.moved()) {
      close("");
      return sending.state;
    }
    sent(sending.bytes);
  }
}

void Connection::sent(size_t bytes) {
  active_ = Clock::now();
  for (auto request = requests_.begin(); bytes > 0; ++request) {
    while (bytes > 0 && !request->answer.at_end()) {
      Answer after = request->answer;
      const size_t part = std::min(bytes, after.next()->size);
      request->answer.advance(part);
      bytes -= part;
    }
  }
}

// Drops the requests in front whose answers have left.
void Connection::retire() {
  bool left = false;
  while (!requests_.empty() && requests_.front().ready && requests_.front().answer.at_end()) {
    Request& request = requests_.front();
    if (request.call.close_after) close(request.call.close_reason);
    unanswered_bytes_ -= request.charged_bytes;
    large_frames_.give(request.granted_bytes);
    requests_.pop_front();
    left = true;
  }
  if (left) room_.notify();
}

void Connection::watch_until(Instant deadline) {
  if (!watchdog_.armed() || watchdog_.deadline() > deadline) watchdog_.arm(deadline);
}

void Connection::watch() {
  if (stream_->closed()) return;
  const Instant now = Clock::now();
  if (frame_due_ && *frame_due_ <= now) return close("a request came too slowly");
  // While a handler awaits something, it is not the peer who is idle.
  const bool waits_for_us = !requests_.empty() && !requests_.front().ready;
  if (!waits_for_us && active_ + limits_.idle_max <= now)
    return close(requests_.empty() ? "" : "the peer does not take its answers");
  watch_until(waits_for_us ? now + limits_.idle_max : active_ + limits_.idle_max);
  if (frame_due_) watch_until(*frame_due_);
}

}  // namespace kq::broker
