// Questions about partitions that only their leaders answer.
#pragma once

#include <map>
#include <set>

#include "libkq/client/admin/story.hpp"

namespace kq::client::admin {

// One partition's question, and why it is without an answer; who asks adds what it wants to know.
struct AtLeader {
  std::string topic{};
  int32_t partition = -1;
  std::optional<Error> error{};

  std::string name() const { return topic + "-" + std::to_string(partition); }
  bool open() const { return error && error->verdict() == Verdict::retry; }
};

// Each open question under its leader.  One without a leader keeps an error that may pass.
template <class Question>
std::map<int32_t, std::vector<Question*>> by_leader(const Cluster& cluster, std::vector<Question>& questions) {
  std::map<int32_t, std::vector<Question*>> leaders;
  for (Question& question : questions) {
    if (!question.open()) continue;
    const Topic* topic = cluster.topic(question.topic);
    const Partition* partition = cluster.partition(question.topic, question.partition);
    if (topic && topic->error != Code::none) {
      question.error = no_to(question.name(), topic->error);
    } else if (topic && topic->usable() && !partition) {
      question.error = Error(static_cast<int32_t>(Code::unknown_topic_or_partition),
                             question.name() + ": the topic has " + std::to_string(topic->partitions.size()) + " partitions");
    } else if (partition && partition->leader >= 0) {
      leaders[partition->leader].push_back(&question);
    }
  }
  return leaders;
}

// Sends one message to a leader.  `take` looks for each question's answer in the response: it clears or sets the error.
template <class Message, class Question, class Take>
awaitable<void> ask_leader(std::shared_ptr<Cluster> cluster, int32_t leader, Message message, std::vector<Question*> questions,
                           Take take, Instant deadline) {
  auto reply = co_await cluster->request(at_node(leader), message, deadline);
  if (reply) {
    for (Question* question : questions) take(*question, reply->message);
  } else {
    for (Question* question : questions) question->error = reply.error();
  }
}

// One request to each leader, again where leaders have moved, until the deadline.  `ask(leader, questions)` is ask_leader with the
// message for those.  `questions` must outlive it, and have the errors, each its own.
template <class Question, class Ask>
awaitable<void> ask_leaders(std::shared_ptr<Cluster> cluster, std::vector<Question>& questions, Ask ask, Instant deadline) {
  std::set<std::string> topics;
  for (Question& question : questions) {
    question.error = Error(own_code::timed_out, question.name() + ": no leader has answered in time", Verdict::retry);
    topics.insert(question.topic);
  }
  for (const std::string& topic : topics) cluster->want_topic(topic);
  for (;;) {
    for (auto& [leader, asked] : by_leader(*cluster, questions)) co_await ask(leader, asked);
    if (std::ranges::none_of(questions, &Question::open)) break;
    Status refreshed = co_await cluster->refreshed(deadline);           // comes no more often than retry.backoff.ms
    if (!refreshed) {
      for (Question& question : questions)
        if (question.open()) question.error = refreshed.error();
      break;
    }
  }
  for (const std::string& topic : topics) cluster->unwant_topic(topic);
}

// The place of a topic in a message's list of them.
template <class Topics>
auto& topic_in(Topics& topics, std::string_view name) {
  const auto known = std::ranges::find(topics, name, [](const auto& topic) { return topic.name; });
  if (known != topics.end()) return *known;
  topics.emplace_back().name = name;
  return topics.back();
}

}  // namespace kq::client::admin
