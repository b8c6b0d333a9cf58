// Stores each offset once its record is done with, and lets auto-commit commit what is stored: after a crash the last few come again, so what
// is done with a record has to bear a repeat.  (group.c commits each batch itself; exactly_once.c has no repeats.)
//   at_least_once localhost:9092 GROUP TOPIC MAX
#include <iostream>
#include <kq/kq.hpp>

int main(int argc, char** argv) try {
  if (argc != 5) return std::cerr << "usage: " << argv[0] << " BROKERS GROUP TOPIC MAX\n", 2;
  kq::Consumer consumer(kq::Config{{"bootstrap.servers", argv[1]}, {"group.id", argv[2]}, {"enable.auto.offset.store", "false"},
                         {"auto.commit.interval.ms", "1000"}, {"auto.offset.reset", "earliest"}});
  consumer.subscribe({argv[3]});
  for (long left = std::atol(argv[4]); left > 0;) {
    const kq::Batch batch = consumer.poll(std::chrono::seconds(1));
    if (batch.kind() != KQ_RECORDS) continue;      // freeing a KQ_REVOKED lets the partitions go, after a commit of what is stored
    for (const kq::Record record : batch) {
      if (left-- <= 0) break;
      std::cout << record.value() << std::endl;    // the work; where it throws, this record and those behind it come again
      const std::string topic(record.topic());
      const kq::TopicPartition next[] = {{topic.c_str(), record.partition(), record.offset() + 1}};
      consumer.store(next);
    }
  }
  consumer.close();                                // commits what is stored
  return 0;
} catch (const kq::Exception& exception) {
  std::cerr << exception.error().name() << ": " << exception.what() << '\n';
  return 1;
}
