// One connection to a broker: versions agreed, requests and answers matched, deadlines kept.
#pragma once

#include <array>
#include <boost/asio/async_result.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "libkq/net/loop.hpp"
#include "libkq/net/stream.hpp"
#include "libkq/protocol/frame.hpp"
#include "libkq/protocol/messages/api_versions.hpp"
#include "libkq/rpc/frame_pool.hpp"

namespace kq {

struct ConnectionOptions {
  std::string client_id = "kq";
  std::string software_name = "kq";
  std::string software_version = "0";
  size_t frame_bytes_max = 256 << 20;                     // of an answer; a fetch answer is bounded by fetch.max.bytes
  size_t in_flight_max = 1000;                            // a backstop: sender and fetcher keep far below it
};

// Which versions of which APIs a broker speaks.
class ApiRanges {
 public:
  static constexpr size_t key_max = 128;

  void learn(const ApiVersionsResponse&);
  // The newest version that both sides have; an error (own_code::unsupported) names both ranges where there is none.
  template <class Request>
  Result<int16_t> choose() const { return choose(Request::key, Request::schema_name, Request::oldest, Request::stable); }
  bool has(int16_t key) const { return known(key) && ranges_[key].newest >= 0; }
  int16_t newest(int16_t key) const { return known(key) ? ranges_[key].newest : -1; }
  int16_t transaction_version() const { return transaction_version_; }      // the cluster's finalized feature; 0: none

 private:
  struct Range {
    int16_t oldest = 0, newest = -1;
  };
  static bool known(int16_t key) { return key >= 0 && static_cast<size_t>(key) < key_max; }
  Result<int16_t> choose(int16_t key, const char* name, int16_t oldest, int16_t newest) const;
  std::array<Range, key_max> ranges_{};
  int16_t transaction_version_ = 0;
};

// An answer as it came: the message's bytes, its version, and the frame that they lie in.
struct Answer {
  Frame frame;
  Bytes body;
  int16_t version = 0;
};

// A decoded answer.  What the message points at lies in the frame, which lives as long as any copy of it.
template <class Response>
struct Reply {
  Frame frame{};
  int16_t version = 0;
  Response message{};

  const Response* operator->() const { return &message; }
  const Response& operator*() const { return message; }
};

template <class Response>
Result<Reply<Response>> decode_reply(Answer answer) {
  auto message = decode<Response>(answer.body, answer.version);
  if (!message) {
    return Error{own_code::protocol, std::string("the answer to ") + Response::schema_name + " version " +
                                         std::to_string(answer.version) + " cannot be read"};
  }
  return Reply<Response>{std::move(answer.frame), answer.version, std::move(*message)};
}

// Belongs to its loop's thread and is held by shared_ptr; its reading coroutine holds it until it has failed or been closed.
// Requests leave and are answered in the order of the calls.  A broken connection, a deadline that passed and an answer that makes
// no sense end the connection, and with it every request on it: each `done` is called exactly once, in order, always from
// a later turn of the loop than its send().
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Done = std::function<void(Result<Answer>)>;
  enum class Expect { answer, nothing };                  // nothing (Produce with acks 0): done once it is handed to the system

  // Connects and agrees on versions; an error names the address and the cause.  `at`: what `name` was resolved to, if it was.
  static awaitable<Result<std::shared_ptr<Connection>>> open(Loop&, Network&, Address name, ConnectionOptions, FramePool, Instant deadline,
                                                             std::optional<Address> at = std::nullopt);
  ~Connection();
  Connection(const Connection&) = delete;

  // Writes the request, records in place: they (and nothing else of it) have to live until `done` is called.  An error: it was not
  // sent, and `done` will not be called.
  template <class Request>
  Status send(const Request& request, Instant deadline, Done done, Expect expect = Expect::answer) {
    KQ_TRY_ASSIGN(const int16_t version, apis_.choose<Request>());
    return send_version(request, version, deadline, std::move(done), expect);
  }
  template <class Request>
  Status send_version(const Request& request, int16_t version, Instant deadline, Done done, Expect expect = Expect::answer);

  // The same as a sequence, in a version not above `newest`.
  template <class Request>
  awaitable<Result<Reply<typename Request::Response>>> request(const Request& request, Instant deadline,
                                                               int16_t newest = Request::stable);

  // Between these, what is sent is kept back, to leave in one write.
  void hold() { held_ = true; }
  void release() {
    held_ = false;
    if (!writer_waits_) flush();
  }

  const ApiRanges& apis() const { return apis_; }
  const Address& address() const { return address_; }
  size_t in_flight() const { return pending_.size(); }
  bool usable() const { return !failure_; }
  // Called once, on the loop, after the last `done`, with the reason.
  void on_end(std::function<void(const Error&)> call) { on_end_ = std::move(call); }
  void close(Error reason);

 private:
  struct Pending {
    int32_t correlation;
    int16_t version;
    int16_t header_version;
    const char* api;
    Instant deadline;
    Done done;
  };
  struct Outgoing {
    Encoded encoded;
    Instant deadline;
    Done written;                                         // of a request without an answer
  };
  class FrameReader;
  template <class Response>
  struct Exchange;

  Connection(Loop&, std::unique_ptr<Stream>, Address, ConnectionOptions, FramePool);

  Status may_send() const;
  Encoded take_encoded();
  void queue(Encoded, Pending, Expect);
  void flush();
  size_t gather(std::span<Bytes> pieces) const;
  void written(size_t bytes);
  size_t unwritten_with_answer() const;
  void retire_front();
  void watch_deadline(Instant);
  void look_at_deadlines();
  void end();
  Status receive(Frame);
  Status read_some(FrameReader&, Transfer);
  static awaitable<void> read_answers(std::shared_ptr<Connection>);
  static awaitable<void> write_rest(std::shared_ptr<Connection>);
  awaitable<Status> agree_on_versions(Instant deadline);

  Loop& loop_;
  std::unique_ptr<Stream> stream_;
  const Address address_;
  const ConnectionOptions options_;
  FramePool frames_;
  ApiRanges apis_;
  int32_t next_correlation_ = 0;
  std::deque<Pending> pending_;
  std::deque<Outgoing> outgoing_;
  size_t written_of_front_ = 0;
  bool writer_waits_ = false;
  bool held_ = false;
  std::vector<Encoded> spare_;                            // memory of written requests, for the next ones
  Timer deadline_;
  std::optional<Error> failure_;
  std::function<void(const Error&)> on_end_;
};

// ---- how a sequence waits for an answer ------------------------------------------------------------------------------------

template <class Response>
struct Connection::Exchange {
  explicit Exchange(asio::io_context& context) : arrived(context) {}
  Signal arrived;
  std::optional<Result<Answer>> answer;
};

template <class Request>
Status Connection::send_version(const Request& request, int16_t version, Instant deadline, Done done, Expect expect) {
  KQ_TRY(may_send());
  Encoded encoded = take_encoded();
  const int32_t correlation = next_correlation_;
  if (!encode_request(request, version, correlation, options_.client_id, encoded)) {
    return Error{own_code::unsupported, std::string(Request::schema_name) + " version " + std::to_string(version) +
                                            ", the newest that " + address_.text() + " speaks, cannot say what was asked for"};
  }
  next_correlation_ = (next_correlation_ + 1) & 0x7fffffff;
  const int16_t header_version = response_header_version<typename Request::Response>(version);
  queue(std::move(encoded), {correlation, version, header_version, Request::schema_name, deadline, std::move(done)}, expect);
  return {};
}

template <class Request>
awaitable<Result<Reply<typename Request::Response>>> Connection::request(const Request& request, Instant deadline,
                                                                         int16_t newest) {
  using Response = typename Request::Response;
  const auto self = shared_from_this();
  const auto exchange = std::make_shared<Exchange<Response>>(loop_.context());
  Done done = [exchange](Result<Answer> answer) {
    exchange->answer = std::move(answer);
    exchange->arrived.notify();
  };
  auto version = apis_.choose<Request>();
  if (!version) co_return std::move(version.error());
  Status sent = send_version(request, std::min(*version, newest), deadline, std::move(done));
  if (!sent) co_return std::move(sent.error());
  co_await exchange->arrived.wait();
  if (!*exchange->answer) co_return std::move(exchange->answer->error());
  co_return decode_reply<Response>(std::move(**exchange->answer));
}

}  // namespace kq
