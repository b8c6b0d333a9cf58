// Commits before it looks at the records: what a crash interrupts is never done twice, and perhaps never at all.  For readings, caches, alerts.
//   at_most_once localhost:9092 GROUP TOPIC MAX
#include <iostream>
#include <kq/kq.hpp>

int main(int argc, char** argv) try {
  if (argc != 5) return std::cerr << "usage: " << argv[0] << " BROKERS GROUP TOPIC MAX\n", 2;
  kq::Consumer consumer(kq::Config{{"bootstrap.servers", argv[1]}, {"group.id", argv[2]}, {"enable.auto.commit", "false"},
                         {"auto.offset.reset", "earliest"}});
  consumer.subscribe({argv[3]});
  for (long left = std::atol(argv[4]); left > 0;) {
    const kq::Batch batch = consumer.poll(std::chrono::seconds(1));
    if (batch.kind() != KQ_RECORDS) continue;
    consumer.commit();                             // all of the batch; where it fails, nothing of it is done
    for (const kq::Record record : batch) std::cout << record.value() << std::endl;
    left -= static_cast<long>(batch.size());
  }
  consumer.close();
  return 0;
} catch (const kq::Exception& exception) {
  std::cerr << exception.error().name() << ": " << exception.what() << '\n';
  return 1;
}
