// One topic, two groups: each of them gets every record, at its own pace, and within a group the partitions are shared.
//   fan_out localhost:9092 orders 20                   (sends 20 orders; billing reads all of them, and so do the two of shipping together)
#include <atomic>
#include <iostream>
#include <thread>
#include <kq/kq.hpp>

static void read(const char* brokers, const char* topic, const char* group, std::atomic<int>& left) {
  kq::Consumer consumer(kq::Config{{"bootstrap.servers", brokers}, {"group.id", group}, {"auto.offset.reset", "earliest"}});
  consumer.subscribe({topic});
  while (left > 0) {
    const kq::Batch batch = consumer.poll(std::chrono::milliseconds(100));
    if (batch.kind() == KQ_RECORDS) left -= static_cast<int>(batch.size());
  }
  consumer.close();                                // commits: the group goes on from here the next time
}

int main(int argc, char** argv) try {
  if (argc != 4) return std::cerr << "usage: " << argv[0] << " BROKERS TOPIC COUNT\n", 2;
  const int count = std::atoi(argv[3]);
  kq::Producer producer(kq::Config{{"bootstrap.servers", argv[1]}, {"delivery.report", "none"}});
  for (int i = 0; i < count; ++i) {
    const std::string order = "order " + std::to_string(i);
    producer.send({.topic = argv[2], .key = order, .value = order});
  }
  producer.close();

  std::atomic<int> billing{count}, shipping{count};
  std::thread one([&] { read(argv[1], argv[2], "billing", billing); });
  std::thread two([&] { read(argv[1], argv[2], "shipping", shipping); });
  std::thread three([&] { read(argv[1], argv[2], "shipping", shipping); });
  for (std::thread* each : {&one, &two, &three}) each->join();
  std::cout << "billing has " << count - billing << ", shipping has " << count - shipping << " of " << count << '\n';
  return 0;
} catch (const kq::Exception& exception) {
  std::cerr << exception.error().name() << ": " << exception.what() << '\n';
  return 1;
}
