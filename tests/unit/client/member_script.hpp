// A member of a group on a stage: the test tells what happens and when, and compares what the member did about it, one line an action.
#pragma once

#include <memory>

#include "libkq/client/classic_member.hpp"
#include "tests/unit/cmocka.hpp"

namespace kq::client {

//   [ 0ms] ask join as m1 gen 3 for t own t-0        JoinGroup; nothing is said about what is empty
//   [ 0ms] + t-0 t-1         assigned      [ 0ms] - t-0     to be given up      [ 0ms] lost t-0
//   [ 0ms] watch t u         [ 0ms] trouble: …              [ 0ms] left
class MemberScript {
 public:
  explicit MemberScript(std::unique_ptr<GroupMember> member) : member_(std::move(member)) {}

  void at(Duration time) { now_ = Instant(time); }
  void step(const GroupMember::Event& event) {
    const auto answered = member_->step(now_, event);
    const std::vector<GroupMember::Action> actions(answered.begin(), answered.end());
    for (const auto& action : actions) std::visit([this](const auto& each) { tell(each); }, action);
  }
  void tick() { step(GroupMember::Tick{}); }
  // Until `time`, with every Tick that the member has asked for on the way.
  void wait(Duration time) {
    for (int i = 0; i < ticks_max && member_->deadline() && *member_->deadline() <= Instant(time); ++i) {
      now_ = std::max(now_, *member_->deadline());
      tick();
    }
    now_ = Instant(time);
  }
  void subscribe(std::vector<std::string> topics) { step(GroupMember::Subscribed{std::move(topics), {}}); }
  void know(const AssignorTopics& topics) { step(GroupMember::Topics{topics}); }
  void released() { step(GroupMember::Released{}); }
  void lose(const char* why) { step(GroupMember::Failed{serial_, Error(own_code::transport, why, Verdict::retry)}); }
  template <class Response>
  void answer(const Response& response) {
    step(GroupMember::Answered{serial_, &response});
  }
  template <class Response>
  void refuse(Code code) {
    Response response;
    response.error_code = code;
    answer(response);
  }

  void say(const std::string& line) {
    text_ += "[" + std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count()) + "ms] " + line + "\n";
  }
  std::string told() { return std::exchange(text_, {}); }
  GroupMember& member() { return *member_; }
  uint64_t serial() const { return serial_; }

  static std::string list(const Partitions& partitions) {
    std::string text;
    for (const TopicPartition& each : partitions) text += " " + each.text();
    return text;
  }

 private:
  static constexpr int ticks_max = 100;

  void tell(const GroupMember::Ask& ask) {
    serial_ = ask.serial;
    switch (ask.api) {
      case GroupMember::Api::join: return tell_join();
      case GroupMember::Api::sync: return tell_sync();
      case GroupMember::Api::heartbeat: return say("ask heartbeat");
      case GroupMember::Api::leave: return say("ask leave");
      case GroupMember::Api::consumer_heartbeat: return tell_consumer_heartbeat();
      case GroupMember::Api::share_heartbeat: return tell_share_heartbeat();
    }
  }
  void tell_join() {
    JoinGroupRequest request;
    assert_true(member_->fill(serial_, request));
    std::string line = "ask join";
    if (!request.member_id.empty()) line += " as " + std::string(request.member_id);
    const auto first = decode_subscription(*find_assignor(request.protocols.front().name), request.protocols.front().metadata);
    if (first->generation >= 0) line += " gen " + std::to_string(first->generation);
    line += " for";
    for (const std::string& topic : first->topics) line += " " + topic;
    if (!first->owned.empty()) line += " own" + list(first->owned);
    say(line);
  }
  void tell_sync() {
    SyncGroupRequest request;
    assert_true(member_->fill(serial_, request));
    std::string line = "ask sync gen " + std::to_string(request.generation_id);
    for (const auto& each : request.assignments) line += "; " + std::string(each.member_id) + list(*decode_assignment(each.assignment));
    say(line);
  }
  void tell_consumer_heartbeat() {
    ConsumerGroupHeartbeatRequest request;
    assert_true(member_->fill(serial_, request));
    std::string line = "ask beat epoch " + std::to_string(request.member_epoch);
    if (request.subscribed_topic_names) {
      line += " for";
      for (const auto topic : *request.subscribed_topic_names) line += " " + std::string(topic);
    }
    if (request.subscribed_topic_regex) line += " for /" + std::string(*request.subscribed_topic_regex) + "/";
    if (request.server_assignor) line += " by " + std::string(*request.server_assignor);
    if (request.topic_partitions) {
      line += " own";
      for (const auto& topic : *request.topic_partitions)
        for (const int32_t partition : topic.partitions) line += " " + std::to_string(partition);
    }
    say(line);
  }
  void tell_share_heartbeat() {
    ShareGroupHeartbeatRequest request;
    assert_true(member_->fill(serial_, request));
    std::string line = "ask share beat epoch " + std::to_string(request.member_epoch);
    if (request.subscribed_topic_names) line += " for";
    if (request.subscribed_topic_names)
      for (const auto topic : *request.subscribed_topic_names) line += " " + std::string(topic);
    say(line);
  }
  void tell(const GroupMember::Assigned& what) { say("+" + list(what.partitions)); }
  void tell(const GroupMember::Revoke& what) { say("-" + list(what.partitions)); }
  void tell(const GroupMember::Lost& what) { say("lost" + list(what.partitions)); }
  void tell(const GroupMember::Watch& what) {
    std::string line = "watch";
    for (const std::string& topic : what.topics) line += " " + topic;
    say(line);
  }
  void tell(const GroupMember::Resolve& what) { say("resolve " + std::to_string(what.topics.size())); }
  void tell(const GroupMember::Trouble& what) {
    say((what.error.verdict() == Verdict::fatal ? "fatal: " : "trouble: ") + std::string(name_of(static_cast<Code>(what.error.code()))));
  }
  void tell(const GroupMember::Left&) { say("left"); }

  Instant now_{};
  std::unique_ptr<GroupMember> member_;
  uint64_t serial_ = 0;
  std::string text_;
};

}  // namespace kq::client

#define expect(script, text) assert_string_equal((script).told().c_str(), text)
