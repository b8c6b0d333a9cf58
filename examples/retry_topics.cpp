// A record that cannot be dealt with goes to a retry topic, waits there, and after the last one to a dead-letter topic: the others go on.
//   retry_topics localhost:9092 GROUP orders MAX        (orders, orders-retry-1, orders-retry-2 and orders-dead; ends after MAX outcomes)
// An offset is committed only when its record was dealt with, or has been acknowledged by the next topic: nothing is lost by a crash.
#include <algorithm>
#include <iostream>
#include <map>
#include <kq/kq.hpp>

using namespace std::chrono_literals;
using Place = std::pair<std::string, int32_t>;
static int64_t now_ms() {
  return std::chrono::duration_cast<kq::Milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// What your program does: here a value with "bad" in it fails always, one with "flaky" until its second retry.
static void work(const kq::Record& record, size_t attempt) {
  const auto has = [&](const char* word) { return record.value().find(word) != std::string_view::npos; };
  if (has("bad") || (has("flaky") && attempt < 2)) throw std::runtime_error("no luck with " + std::string(record.value()));
}

class Worker {
 public:
  Worker(const char* brokers, const char* group, const std::string& topic)
      : topics_{topic, topic + "-retry-1", topic + "-retry-2", topic + "-dead"},
        consumer_(kq::Config{{"bootstrap.servers", brokers}, {"group.id", group}, {"enable.auto.commit", "false"}, {"auto.offset.reset", "earliest"}}),
        producer_(kq::Config{{"bootstrap.servers", brokers}, {"delivery.report", "errors"}}) {
    consumer_.subscribe({topics_[0].c_str(), topics_[1].c_str(), topics_[2].c_str()});
  }

  void run(long left) {
    while (left > 0) {
      resume_due();
      const kq::Batch batch = consumer_.poll(50ms);
      for (const kq::Record row : batch) {
        if (batch.kind() == KQ_REVOKED || batch.kind() == KQ_LOST) paused_.erase({std::string(row.topic()), row.partition()});
        if (batch.kind() == KQ_RECORDS && left > 0 && deal_with(row)) --left;
      }
    }
    consumer_.close();
  }

 private:
  static constexpr kq::Milliseconds delays[] = {0ms, 200ms, 1s};           // before each attempt; of minutes in real life

  // False: nothing has come to its end by it.
  bool deal_with(const kq::Record& record) {
    const Place place(record.topic(), record.partition());
    const auto attempt = static_cast<size_t>(std::ranges::find(topics_, record.topic()) - topics_.begin());
    const int64_t due = record.timestamp_ms() + delays[attempt].count();
    if (paused_.contains(place)) return false;
    if (due > now_ms()) {                                                  // the partition rests; what is behind it is due later
      consumer_.seek(place.first.c_str(), place.second, record.offset());
      consumer_.pause(place.first.c_str(), place.second);
      return paused_[place] = due, false;
    }
    bool ended = true;
    try {
      work(record, attempt);
    } catch (const std::runtime_error& error) {
      ended = attempt + 2 == topics_.size();
      hand_over(record, topics_[attempt + 1], error.what());
    }
    std::cout << topics_[attempt] << ": " << record.value() << std::endl;
    const kq::TopicPartition next[] = {{place.first.c_str(), place.second, record.offset() + 1}};
    consumer_.commit(next);
    return ended;
  }

  // Comes back when the record is safe in its next topic, or throws.
  void hand_over(const kq::Record& record, const std::string& to, std::string_view why) {
    const kq::Header headers[] = {{"error", why}, {"from", record.topic()}};
    const auto key = record.has_key() ? std::optional(record.key()) : std::nullopt;
    producer_.send({.topic = to.c_str(), .key = key, .value = record.value(), .headers = headers});
    producer_.flush();
    if (const kq::Batch failed = producer_.poll(0ms)) throw kq::Exception(kq::Error::copy(failed.error(0)));
  }

  void resume_due() {
    std::erase_if(paused_, [&](const auto& each) {
      if (each.second > now_ms()) return false;
      consumer_.resume(each.first.first.c_str(), each.first.second);
      return true;
    });
  }

  const std::vector<std::string> topics_;
  kq::Consumer consumer_;
  kq::Producer producer_;
  std::map<Place, int64_t> paused_;                                        // until when
};

int main(int argc, char** argv) try {
  if (argc != 5) return std::cerr << "usage: " << argv[0] << " BROKERS GROUP TOPIC MAX\n", 2;
  Worker(argv[1], argv[2], argv[3]).run(std::atol(argv[4]));
  return 0;
} catch (const kq::Exception& exception) {
  std::cerr << exception.error().name() << ": " << exception.what() << '\n';
  return 1;
}
