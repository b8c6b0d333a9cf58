// A compacted topic is a table: the last value of each key stays, a record without a value deletes it.
//   table localhost:9092 prices                        (lines of the standard input: "put KEY VALUE", "delete KEY", "get KEY", "list")
// Whoever reads the topic to its end has the whole table, and goes on to follow it; what was put is there for others when put returns.
#include <iostream>
#include <map>
#include <sstream>
#include <kq/kq.hpp>

class Table {
 public:
  Table(const char* brokers, const char* topic) : topic_(topic), producer_(kq::Config{{"bootstrap.servers", brokers}}), consumer_(kq::Config{{"bootstrap.servers", brokers}}) {
    const kq::Rows made = kq::Admin(kq::Config{{"bootstrap.servers", brokers}}).run(
        kq::Request("create_topics").set("topic", topic).set("partitions", 1).set("config", "cleanup.policy=compact"));
    if (made.error(0) && kq_error_code(made.error(0)) != KQ_ERR_TOPIC_ALREADY_EXISTS) throw kq::Exception(kq::Error::copy(made.error(0)));
    consumer_.assign({{topic, 0, KQ_EARLIEST}});
    follow(consumer_.offset_at(topic, 0, KQ_LATEST));
  }

  void put(const std::string& key, const std::optional<std::string>& value) {
    producer_.send({.topic = topic_, .key = key, .value = value, .partition = 0});
    producer_.flush();
    const kq::Batch delivered = producer_.poll(kq::Milliseconds(0));
    if (delivered.error(0)) throw kq::Exception(kq::Error::copy(delivered.error(0)));
    follow(delivered[0].offset() + 1);                                 // so that a get sees it
  }
  const std::map<std::string, std::string>& rows() const { return rows_; }

 private:
  void follow(int64_t end) {
    while (consumer_.position(topic_, 0) < end) {
      const kq::Batch batch = consumer_.poll(std::chrono::seconds(1));
      for (const kq::Record record : batch) {
        if (record.has_value()) rows_[std::string(record.key())] = record.value();
        else rows_.erase(std::string(record.key()));
      }
    }
  }

  const char* topic_;
  kq::Producer producer_;
  kq::Consumer consumer_;
  std::map<std::string, std::string> rows_;
};

int main(int argc, char** argv) try {
  if (argc != 3) return std::cerr << "usage: " << argv[0] << " BROKERS TOPIC\n", 2;
  Table table(argv[1], argv[2]);
  for (std::string line, verb, key, value; std::getline(std::cin, line); verb.clear(), key.clear(), value.clear()) {
    std::istringstream(line) >> verb >> key >> value;
    if (verb == "put") table.put(key, value);
    if (verb == "delete") table.put(key, std::nullopt);
    if (verb == "get") std::cout << (table.rows().contains(key) ? table.rows().at(key) : "nothing") << std::endl;
    if (verb == "list") for (const auto& [name, row] : table.rows()) std::cout << name << ' ' << row << std::endl;
  }
  return 0;
} catch (const kq::Exception& exception) {
  std::cerr << exception.error().name() << ": " << exception.what() << '\n';
  return 1;
}
