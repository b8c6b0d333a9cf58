// A sender on a stage: the test tells what happens and when, and compares what the sender did about it, one line an action.
#pragma once

#include <map>
#include <string>

#include "libkq/client/sender.hpp"
#include "tests/unit/cmocka.hpp"

namespace kq::client {

//   [ 0ms] > 1  produce #1 t-0 seq 0 x2        request 1 to broker 1: a batch of two records of t-0, numbered from 0
//   [ 0ms] > 1  connect          [ 0ms] ask for metadata          [ 0ms] ask for a producer id
//   [ 5ms] t-0 x2 @40            delivered, at offset 40
//   [ 5ms] t-0 x2 failed: …
class Script {
 public:
  explicit Script(SenderOptions options = {}) : memory_(std::make_shared<SendMemory>(1 << 20, 1 << 20)), sender_(options) {}

  // A producer with an id, a broker 1 that is connected, and t-0 led by it, which knows the producer from earlier batches.
  void ready() {
    lane("t", 0).known_as = 900;
    tick();
    step(Sender::ProducerIdIs{900, 0});
    step(Sender::NodeUp{1});
    led("t", 0, 1, 0);
    text_.clear();
  }

  void at(Duration time) { now_ = Instant(time); }
  void tick() { step(Sender::Tick{}); }
  void led(const std::string& topic, int32_t partition, int32_t leader, int32_t epoch) {
    step(Sender::LeaderIs{&lane(topic, partition), leader, epoch});
  }
  void up(int32_t node) { step(Sender::NodeUp{node}); }
  void down(int32_t node, std::string why) { step(Sender::NodeDown{node, Error(own_code::transport, std::move(why), Verdict::retry)}); }
  void id(int64_t id, int16_t epoch) { step(Sender::ProducerIdIs{id, epoch}); }

  void send(const std::string& topic, int32_t partition, int records = 1, size_t value_bytes = 10) {
    const std::vector<BatchRef> batches{make(topic, partition, records, value_bytes)};
    step(Sender::Ready{batches});
  }
  void send_together(std::vector<BatchRef> batches) { step(Sender::Ready{batches}); }
  BatchRef make(const std::string& topic, int32_t partition, int records = 1, size_t value_bytes = 10) {
    const size_t bytes = 4096 + static_cast<size_t>(records) * (value_bytes + 64);
    auto batch = std::make_shared<ProducerBatch>(memory_, memory_->blocks.take(bytes), bytes, now_);
    const std::string value(value_bytes, 'v');
    for (int i = 0; i < records; ++i) {
      assert_true(batch->builder.append(1000 + i, {}, as_bytes(value)));
      batch->notes.add(i, static_cast<uint64_t>(i), 1000 + i);
    }
    batch->lane = &lane(topic, partition);
    batch->topic = batch->lane->topic;
    batch->partition = partition;
    return batch;
  }

  // The broker answers request `number`: all its batches alike.
  struct Says {
    Code code = Code::none;
    int64_t offset = 0;
    int32_t leader = -1, leader_epoch = -1;
    std::vector<int32_t> bad_records{};
  };
  void answer(uint64_t number, const Says& says) {
    ProduceResponse response;
    auto& topic = response.responses.emplace_back();
    const auto sent = requests_.at(number);
    topic.name = *sent.front()->topic;
    for (const BatchRef& batch : sent) {
      auto& partition = topic.partition_responses.emplace_back();
      partition.index = batch->partition;
      partition.error_code = says.code;
      partition.base_offset = says.offset;
      partition.current_leader.leader_id = says.leader;
      partition.current_leader.leader_epoch = says.leader_epoch;
      for (const int32_t index : says.bad_records) partition.record_errors.push_back({index, "bad key"});
    }
    step(Sender::Answered{number, &response});
  }
  void written(uint64_t number) { step(Sender::Written{number}); }
  void lose(uint64_t number) { step(Sender::Failed{number, Error(own_code::transport, "the connection broke", Verdict::retry)}); }
  void begin(bool partitions_join) { step(Sender::Begin{partitions_join}); }
  void joined(const std::string& topic, int32_t partition) { step(Sender::Joined{{&lane(topic, partition)}}); }
  void drop(bool until_begin) { step(Sender::Drop{Error(own_code::closed, "dropped"), until_begin}); }
  void abandon() { step(Sender::Abandon{Error(own_code::closed, "closed")}); }

  Lane& lane(const std::string& topic, int32_t partition) {
    auto& lane = lanes_[{topic, partition}];
    if (!lane) lane = std::make_unique<Lane>(std::make_shared<const std::string>(topic), partition);
    return *lane;
  }
  Sender& sender() { return sender_; }
  const BatchRef& finished(size_t i) const { return finished_.at(i); }
  size_t finished_count() const { return finished_.size(); }

  // What has happened since the last look.
  std::string told() { return std::exchange(text_, {}); }

 private:
  void step(const Sender::Event& event) {
    for (const Sender::Action& action : sender_.step(now_, event)) std::visit([this](const auto& each) { tell(each); }, action);
  }

  void tell(const Sender::Produce& produce) {
    std::string line = "> " + std::to_string(produce.node) + "  produce #" + std::to_string(produce.request);
    for (const BatchRef& batch : produce.batches) {
      const BatchView view(batch->sealed());
      assert_true(view.check_crc());
      line += " " + name(*batch);
      if (view.transactional()) line += " in transaction";
      if (view.has_producer_id()) line += " seq " + std::to_string(view.base_sequence());
      if (view.producer_epoch() > 0) line += " epoch " + std::to_string(view.producer_epoch());
      line += " x" + std::to_string(view.count());
    }
    requests_[produce.request] = {produce.batches.begin(), produce.batches.end()};
    say(line);
  }
  void tell(const Sender::Connect& connect) { say("> " + std::to_string(connect.node) + "  connect"); }
  void tell(const Sender::AskProducerId&) { say("ask for a producer id"); }
  void tell(const Sender::Refresh&) { say("ask for metadata"); }
  void tell(const Sender::Join& join) { say(*join.lane->topic + "-" + std::to_string(join.lane->partition) + " wants to join"); }
  void tell(const Sender::Split& split) { say(name(*split.batch) + " x" + std::to_string(split.batch->count()) + " split"); }
  void tell(const Sender::Finished& finished) {
    const ProducerBatch& batch = *finished.batch;
    std::string line = name(batch) + " x" + std::to_string(batch.count());
    line += batch.error ? " failed: " + batch.error->message() : " @" + std::to_string(batch.base_offset);
    finished_.push_back(finished.batch);
    say(line);
  }

  static std::string name(const ProducerBatch& batch) { return *batch.topic + "-" + std::to_string(batch.partition); }
  void say(const std::string& line) { text_ += "[" + std::to_string(to_ms(now_.time_since_epoch())) + "ms] " + line + "\n"; }

  Instant now_{};
  std::shared_ptr<SendMemory> memory_;
  std::map<std::pair<std::string, int32_t>, std::unique_ptr<Lane>> lanes_;
  std::map<uint64_t, std::vector<BatchRef>> requests_;
  std::vector<BatchRef> finished_;
  Sender sender_;                                  // goes first: it has lists of the batches above
  std::string text_;
};

}  // namespace kq::client

#define expect(script, text) assert_string_equal((script).told().c_str(), text)
