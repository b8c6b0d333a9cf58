// What kq.hpp and kq.h say of bad calls, without a broker: nothing is undefined, everything is told.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cassert>
#include <cstring>
#include <iostream>
#include <kq/kq.hpp>

#undef assert
#define assert(condition) \
  do { \
    if (!(condition)) return std::cerr << __FILE__ << ':' << __LINE__ << ": " #condition "\n", 1; \
  } while (0)

using namespace std::chrono_literals;

static int code_of(kq_error* error) {
  const int code = kq_error_code(error);
  kq_error_free(error);
  return code;
}

static int null_is_an_argument_error_everywhere() {
  kq_producer* producer = nullptr;
  kq_batch* batch = nullptr;
  kq_rows* rows = nullptr;
  kq_record record = KQ_RECORD_INIT;
  assert(code_of(kq_config_new(nullptr)) == KQ_ERR_ARGUMENT);
  assert(code_of(kq_config_set(nullptr, "a", "b")) == KQ_ERR_ARGUMENT);
  assert(code_of(kq_producer_new(nullptr, &producer)) == KQ_ERR_ARGUMENT);
  assert(code_of(kq_producer_send(nullptr, &record)) == KQ_ERR_ARGUMENT);
  assert(code_of(kq_producer_poll(nullptr, 0, &batch)) == KQ_ERR_ARGUMENT);
  assert(code_of(kq_consumer_poll(nullptr, 0, &batch)) == KQ_ERR_ARGUMENT);
  assert(code_of(kq_admin_run(nullptr, nullptr, 0, &rows)) == KQ_ERR_ARGUMENT);
  assert(kq_batch_count(nullptr) == 0 && kq_batch_at(nullptr, 0) == nullptr && kq_rows_count(nullptr) == 0);
  kq_producer_free(nullptr), kq_consumer_free(nullptr), kq_admin_free(nullptr), kq_batch_free(nullptr), kq_rows_free(nullptr);
  kq_config_free(nullptr), kq_loop_free(nullptr), kq_request_free(nullptr), kq_error_free(nullptr);
  return 0;
}

static int configs_are_lists_of_strings_with_one_name_a_key() {
  kq::Config config;
  config.set("linger.ms", "7").set("queue.buffering.max.ms", "8").set("client.id", "x");
  assert(std::string_view(config.get("linger.ms")) == "8");
  assert(kq_config_count(config.get()) == 2);
  config.set("client.id", nullptr);
  assert(config.get("client.id") == nullptr);
  return 0;
}

static int a_config_is_checked_when_it_is_used() {
  try {
    kq::Producer producer(kq::Config{{"bootstrap.servers", "localhost:1"}, {"liner.ms", "5"}});
    return 1;
  } catch (const kq::Exception& exception) {
    assert(exception.code() == KQ_ERR_CONFIG && exception.verdict() == KQ_REFUSED);
    assert(std::strstr(exception.what(), "linger.ms"));
  }
  return 0;
}

static int options_are_listed_with_their_meaning() {
  assert(kq_option_count() > 20);
  for (size_t i = 0; i < kq_option_count(); ++i) {
    const kq_option* option = kq_option_at(i);
    assert(option->size == sizeof(kq_option) && option->name && option->type && *option->doc);
    assert(i == 0 || std::string_view(kq_option_at(i - 1)->name) < option->name);
  }
  assert(kq_option_at(kq_option_count()) == nullptr);
  return 0;
}

static int requests_refuse_what_their_operation_does_not_have() {
  kq::Request request("create_topics");
  assert(code_of(kq_request_string(const_cast<kq_request*>(request.get()), "name", "x")) == KQ_ERR_ARGUMENT);
  assert(code_of(kq_request_string(const_cast<kq_request*>(request.get()), "partitions", "4")) == KQ_ERR_ARGUMENT);
  request.set("topic", "x").set("partitions", 4).item().set("topic", "y");
  kq_request* none = nullptr;
  assert(code_of(kq_request_new("drop_everything", &none)) == KQ_ERR_ARGUMENT);
  return 0;
}

static int an_unreachable_cluster_is_told_by_poll_and_send() {
  const kq::Config config{{"bootstrap.servers", "127.0.0.1:1"}, {"max.block.ms", "50"}};
  kq::Consumer consumer(config);
  consumer.assign({{"t", 0, KQ_EARLIEST}});
  kq::Error error;
  const kq::Batch nothing = consumer.poll(5s, error);
  assert(!nothing && error && error.verdict() == KQ_RETRY && std::strstr(error.message(), "127.0.0.1:1"));
  kq::Producer producer(config);
  producer.send({.topic = "t", .value = "v"}, error);
  assert(error && error.verdict() == KQ_RETRY);
  assert(!producer.try_send({.topic = "t", .value = "v"}));
  return 0;
}

static size_t descriptors() {
  size_t count = 0;
  for (int i = 0; i < 256; ++i) count += fcntl(i, F_GETFD) >= 0;
  return count;
}

static int handles_of_the_parent_answer_forked_in_a_child() {
  const kq::Config config{{"bootstrap.servers", "127.0.0.1:1"}};
  auto producer = std::make_unique<kq::Producer>(config);
  auto consumer = std::make_unique<kq::Consumer>(config);
  auto admin = std::make_unique<kq::Admin>(config);
  const pid_t child = fork();
  if (child == 0) {
    const size_t before = descriptors();
    kq::Error error;
    producer->send({.topic = "t", .value = "v"}, error);
    bool good = error.code() == KQ_ERR_FORKED && error.verdict() == KQ_FATAL;
    consumer->poll(0ms, error);
    good = good && error.code() == KQ_ERR_FORKED;
    producer.reset(), consumer.reset(), admin.reset();
    good = good && descriptors() < before;
    // A handle of the child's own works as ever.
    kq::Producer own(config);
    good = good && !own.try_send({.topic = "t", .value = "v"});
    _exit(good ? 0 : 1);
  }
  int status = 0;
  assert(waitpid(child, &status, 0) == child);
  assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  return 0;
}

static int a_closed_handle_says_so() {
  const kq::Config config{{"bootstrap.servers", "127.0.0.1:1"}};
  kq::Consumer consumer(config);
  consumer.close();
  consumer.close();
  kq::Error error;
  consumer.poll(0ms, error);
  assert(error.code() == KQ_ERR_CLOSED);
  kq::Producer producer(config);
  producer.close(0ms);
  producer.send({.topic = "t", .value = "v"}, error);
  assert(error.code() == KQ_ERR_CLOSED);
  return 0;
}

static int several_handles_share_a_loop_and_outlive_it() {
  const kq::Config config{{"bootstrap.servers", "127.0.0.1:1"}};
  for (const kq_loop_kind kind : {KQ_LOOP_THREAD, KQ_LOOP_HOST}) {
    auto loop = std::make_unique<kq::Loop>(kind);
    assert((loop->fd() >= 0) == (kind == KQ_LOOP_HOST));
    kq::Producer producer(*loop, config);
    kq::Consumer consumer(*loop, config);
    kq::Admin admin(*loop, config);
    loop.reset();
    kq::Error error;
    assert(!consumer.poll(0ms, error));
  }
  return 0;
}

static int share_consumers_need_a_group_and_a_mode_to_acknowledge_in() {
  kq::Error error;
  kq_share_consumer* made = nullptr;
  const kq::Config nobody{{"bootstrap.servers", "127.0.0.1:1"}};
  assert(code_of(kq_share_consumer_new(nobody.get(), &made)) == KQ_ERR_CONFIG && !made);
  const kq::Config config{{"bootstrap.servers", "127.0.0.1:1"}, {"group.id", "g"}};
  kq::ShareConsumer consumer(config);
  assert(!consumer.poll(0ms, error) && consumer.lock_timeout_ms() == -1 && consumer.fd() >= 0);
  assert(code_of(kq_share_consumer_acknowledge(consumer.get(), nullptr, 0, 1, KQ_ACCEPT)) == KQ_ERR_ARGUMENT);
  assert(code_of(kq_share_consumer_acknowledge_at(consumer.get(), "t", 0, 0, KQ_ACCEPT)) == KQ_ERR_ARGUMENT);
  assert(code_of(kq_share_consumer_commit(consumer.get(), 0, nullptr)) == 0);
  consumer.close(0ms);
  consumer.poll(0ms, error);
  assert(error.code() == KQ_ERR_CLOSED);
  kq_share_consumer_free(nullptr);
  return 0;
}

static int statistics_are_rows_and_rows_are_json() {
  const kq::Config config{{"bootstrap.servers", "127.0.0.1:1"}};
  kq::Producer producer(config);
  kq::Consumer consumer(config);
  const kq::Rows sent = producer.statistics(), read = consumer.statistics();
  assert(sent.size() == 1 && sent.int64(0, "records") == 0 && sent.int64(0, "buffer_bytes_max") == 32 << 20);
  assert(sent.nested(0, "nodes").size() == 0 && read.nested(0, "partitions").size() == 0);
  const std::string json = read.json();
  assert(json.starts_with("[{\"age_ms\":") && json.ends_with("\"partitions\":[]}]") && json.find("\"lag\":0,") != json.npos);
  consumer.assign({{"t\"u", 0, KQ_EARLIEST}});
  assert(std::string(consumer.assignment().json()).find("\"topic\":\"t\\\"u\"") != std::string::npos);
  assert(kq_rows_json(nullptr) == nullptr);
  kq::ShareConsumer shares(kq::Config{{"bootstrap.servers", "127.0.0.1:1"}, {"group.id", "g"}});
  const kq::Rows shared = shares.statistics();
  assert(shared.size() == 1 && shared.int64(0, "accepted") == 0 && shared.nested(0, "partitions").size() == 0);
  return 0;
}

static int errors_have_names() {
  assert(std::string_view(kq_code_name(3)) == "UNKNOWN_TOPIC_OR_PARTITION");
  assert(std::string_view(kq_code_name(KQ_ERR_TIMED_OUT)) == "TIMED_OUT");
  assert(std::string_view(kq_code_name(31000)) == "UNKNOWN" && std::string_view(kq_code_name(-5000)) == "UNKNOWN");
  const kq::Error error(kq_error_new(7, KQ_RETRY, "late"));
  assert(kq::Error::copy(error.get()).code() == 7);
  assert(std::string_view(kq_version()) == "0.1.0" && kq_version_number() == 1000);
  return 0;
}

#define run(name) (++count, name() == 0 || (++failed, std::cerr << "FAILED: " #name "\n", false))

int main() {
  int count = 0, failed = 0;
  run(null_is_an_argument_error_everywhere);
  run(configs_are_lists_of_strings_with_one_name_a_key);
  run(a_config_is_checked_when_it_is_used);
  run(options_are_listed_with_their_meaning);
  run(requests_refuse_what_their_operation_does_not_have);
  run(an_unreachable_cluster_is_told_by_poll_and_send);
  run(handles_of_the_parent_answer_forked_in_a_child);
  run(a_closed_handle_says_so);
  run(several_handles_share_a_loop_and_outlive_it);
  run(share_consumers_need_a_group_and_a_mode_to_acknowledge_in);
  run(statistics_are_rows_and_rows_are_json);
  run(errors_have_names);
  std::cout << count << " tests, " << failed << " failed\n";
  return failed > 0;
}
