// What every handle has of a cluster: its nodes, topics and leaders, connections to them, and requests that are tried again.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "libkq/base/log.hpp"
#include "libkq/net/resolver.hpp"
#include "libkq/protocol/messages/metadata.hpp"
#include "libkq/protocol/messages/produce.hpp"
#include "libkq/rpc/backoff.hpp"
#include "libkq/rpc/broadcast.hpp"
#include "libkq/rpc/connection.hpp"

namespace kq::client {

struct Config;

struct ClusterOptions {
  std::vector<Address> bootstrap;
  ConnectionOptions connection;
  bool canonical_bootstrap = false;                // client.dns.lookup=resolve_canonical_bootstrap_servers_only
  Duration setup_timeout{10s};                     // socket.connection.setup.timeout.ms: one attempt to connect, to one address
  Duration request_timeout{30s};                   // request.timeout.ms: one attempt of one request
  Duration metadata_max_age{5min};                 // metadata.max.age.ms
  Duration rebootstrap_after{5min};                // metadata.recovery.rebootstrap.trigger.ms
  Backoff retry{100ms, 1s};                        // retry.backoff.ms, retry.backoff.max.ms
  Backoff reconnect{50ms, 1s};                     // reconnect.backoff.ms, reconnect.backoff.max.ms
  bool create_topics = false;                      // allow.auto.create.topics (a producer: always true)
  uint64_t seed = 0;                               // of the jitter; 0: from the system

  bool rebootstraps() const { return rebootstrap_after != Duration::max(); }       // metadata.recovery.strategy
  static Result<ClusterOptions> from(const Config&);
};

struct Node {
  int32_t id = -1;
  Address address{};
  std::string rack{};
};

struct Partition {
  int32_t leader = -1;                             // -1: none at the moment
  int32_t leader_epoch = -1;
  Code error = Code::none;
  std::vector<int32_t> replicas{}, isr{}, offline{};
};

// As the newest metadata has it.  A pointer or reference holds until the next metadata; across a co_await, look it up again.
struct Topic {
  std::string name{};
  Uuid id{};
  Code error = Code::none;                         // a topic that does not exist is there, with its error, once it was asked for
  bool internal = false;
  std::vector<Partition> partitions{};             // by index, without gaps

  bool usable() const { return error == Code::none && !partitions.empty(); }
};

// Whom to ask.
struct Target {
  enum class Kind { any, controller, node };
  Kind kind = Kind::any;
  int32_t id = -1;
};
constexpr Target any_node{};
constexpr Target controller_node{Target::Kind::controller};
constexpr Target at_node(int32_t id) { return {Target::Kind::node, id}; }

// A long poll or an acks=all wait holds up every answer behind it, so data has a connection of its own beside control; and so has a group's
// membership, where an answer may take as long as a rebalance.
enum class Channel { control, data, group };

// Told of changes, on the loop, never from inside one of the observer's own calls.
class ClusterObserver {
 public:
  virtual ~ClusterObserver() = default;
  virtual void metadata_changed() {}                              // a refresh has succeeded: perhaps new leaders, topics or nodes
  virtual void metadata_failed(const Error&) {}                   // more than once in a row; it is being tried again
  virtual void node_up(int32_t /*node*/) {}                       // its data connection can be used
  virtual void node_down(int32_t /*node*/, const Error&) {}       // its data connection ended, or could not be made
};

// Belongs to its loop's thread; held by shared_ptr, because its coroutines hold it until close() has ended them.  Everything that
// waits ends with own_code::closed then.
class Cluster : public std::enable_shared_from_this<Cluster> {
 public:
  static std::shared_ptr<Cluster> make(Loop&, Network&, Logger&, ClusterOptions);
  ~Cluster();
  Cluster(const Cluster&) = delete;

  void start();                                    // on the loop; metadata is asked for from now on
  void close();                                    // on the loop; connections end, waits end, observers hear nothing more
  bool closed() const { return closed_; }

  void observe(ClusterObserver&);
  void forget(ClusterObserver&);

  // ---- metadata: what was learned last, and asking for more ----
  const std::map<int32_t, Node>& nodes() const { return nodes_; }
  const Node* find_node(int32_t id) const;
  int32_t controller_id() const { return controller_id_; }
  const std::string& cluster_id() const { return cluster_id_; }
  const Topic* topic(std::string_view name) const;
  const Topic* topic(const Uuid& id) const;
  const Partition* partition(std::string_view topic, int32_t index) const;
  // Topics that every refresh asks for; counted, so each want needs its unwant.
  void want_topic(std::string_view name);
  void unwant_topic(std::string_view name);
  void refresh();                                  // soon; asked for again while one is under way, another follows it
  awaitable<Status> refreshed(Instant deadline);   // the next refresh that starts after this call has succeeded
  awaitable<Status> topic_usable(std::string_view name, Instant deadline);   // wanted meanwhile; an error that lasts is given at once
  // A leader that an answer named (KIP-951).  False: what is known is as new.
  bool learn_leader(std::string_view topic, int32_t partition, int32_t leader, int32_t leader_epoch);
  void learn_node(Node);

  // ---- connections ----
  // The usable connection, or nullptr: then one is being made as soon as back-off allows, and node_up or node_down follows
  // (data), while connect() waits.  Borrowed until the next turn of the loop.
  Connection* connection(int32_t node, Channel);
  awaitable<Result<std::shared_ptr<Connection>>> connect(Target, Channel, Instant deadline);

  // ---- requests on the control channel ----
  // Tried again on broken connections and on answers whose own error_code says that it may help, with back-off, until the deadline.
  // Any other error code is the caller's to read.  The error that is given in the end is the last real one.
  template <class Request>
  awaitable<Result<Reply<typename Request::Response>>> request(Target, const Request&, Instant deadline);

  // Waits before try number `failures` + 1, for stories that try again themselves.  False, at once: the deadline comes first.
  awaitable<bool> back_off(int failures, Instant deadline);
  awaitable<bool> pause(Duration);  // false: closed meanwhile

  uint64_t connections_made() const { return connections_made_; }

  Loop& loop() { return loop_; }
  Logger& logger() { return logger_; }
  FramePool& frames() { return frames_; }
  const ClusterOptions& options() const { return options_; }
  Random& random() { return random_; }

 private:
  struct Link;                                     // a node's connection on one channel, or the making of it
  using LinkKey = std::pair<int32_t, Channel>;

  Cluster(Loop&, Network&, Logger&, ClusterOptions);

  template <class Request>
  awaitable<Result<Reply<typename Request::Response>>> request_once(Target, const Request&, Instant deadline);
  template <class Call>
  void tell(Call);                                 // calls each observer that is still there
  Error closed_error() const;
  Error late(std::string_view what) const;
  static Error topic_error(std::string_view name, Code);

  static awaitable<void> keep_metadata(std::shared_ptr<Cluster>);
  awaitable<Status> refresh_once();
  void refresh_failed(Error, int failures);
  awaitable<Status> topic_usable_while_wanted(const std::string& name, Instant deadline);
  void adopt(const MetadataResponse&);
  void adopt_bootstrap_link(const Node&);
  void adopt_topic(const MetadataResponse::MetadataResponseTopic&);
  void rebootstrap(std::string_view why);
  std::shared_ptr<Link> link(int32_t node, Channel);
  void drop_links(int32_t node, std::string_view why);
  Result<Address> address_of(int32_t id) const;
  awaitable<void> resolve_bootstrap();
  awaitable<Result<std::shared_ptr<Connection>>> open_connection(int32_t node);
  void begin_connecting(const std::shared_ptr<Link>&);
  static awaitable<void> make_connection(std::shared_ptr<Cluster>, std::shared_ptr<Link>);
  void connected(const std::shared_ptr<Link>&, std::shared_ptr<Connection>);
  void not_connected(const std::shared_ptr<Link>&, Error why);
  awaitable<Result<std::shared_ptr<Connection>>> connect_link(std::shared_ptr<Link>, Instant deadline);
  awaitable<Result<std::shared_ptr<Connection>>> connect_any(Channel, Instant deadline);
  std::vector<int32_t> candidates(Channel);

  Loop& loop_;
  Network& network_;
  Names* const names_;                             // the network's, or null
  Logger& logger_;
  const ClusterOptions options_;
  Random random_;
  FramePool frames_;
  std::vector<ClusterObserver*> observers_;

  std::string cluster_id_;
  int32_t controller_id_ = -1;
  std::map<int32_t, Node> nodes_;
  std::map<std::string, Topic, std::less<>> topics_;
  std::unordered_map<Uuid, std::string> topic_names_;
  std::map<std::string, int, std::less<>> wanted_;

  std::map<LinkKey, std::shared_ptr<Link>> links_;
  std::vector<Address> bootstrap_;                 // as configured, or by their canonical names
  bool bootstrap_resolved_ = false;
  size_t next_bootstrap_ = 0;
  uint64_t connections_made_ = 0;
  uint64_t refreshes_started_ = 0, refreshes_done_ = 0;           // refreshes_done_: number of the last one that succeeded
  bool refresh_asked_ = false;
  bool hurry_ = false;                             // a new topic does not wait out the pause between two refreshes
  bool closed_ = false;
  std::optional<Error> last_failure_;              // why the last refresh failed
  Instant last_success_{};
  Broadcast changed_;                              // a refresh ended, a link changed, or closed
  Broadcast closing_;
  Signal work_;                                    // for keep_metadata
};

// ---- request ----------------------------------------------------------------------------------------------------------------

namespace cluster_detail {
bool may_help(const Error&);                       // whether trying again may help
Error told(std::string_view api, Code, const Address& by);       // "METADATA refused by host:9092: …"

template <class Response>
Code code_of(const Response& response) {
  if constexpr (requires { response.error_code; }) return response.error_code;
  else return Code::none;
}
}  // namespace cluster_detail

template <class Request>
awaitable<Result<Reply<typename Request::Response>>> Cluster::request_once(Target target, const Request& request, Instant deadline) {
  auto connection = co_await connect(target, Channel::control, deadline);
  if (!connection) co_return std::move(connection.error());
  const std::shared_ptr<Connection> held = *connection;
  co_return co_await held->request(request, std::min(deadline, Clock::now() + options_.request_timeout));
}

template <class Request>
awaitable<Result<Reply<typename Request::Response>>> Cluster::request(Target target, const Request& request, Instant deadline) {
  const auto self = shared_from_this();
  for (int failures = 1;; ++failures) {
    auto reply = co_await request_once(target, request, deadline);
    const Remedy remedy = reply ? remedy_of(cluster_detail::code_of(reply->message)) : Remedy::retry;
    if (reply ? remedy == Remedy::none : !cluster_detail::may_help(reply.error())) co_return reply;
    if (remedy == Remedy::refresh) refresh();
    const bool again = co_await back_off(failures, deadline);
    if (!again) co_return reply;
  }
}

}  // namespace kq::client
