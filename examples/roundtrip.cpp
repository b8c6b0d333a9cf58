// Makes a topic, sends to it, reads it back and deletes it, in C++.
//   roundtrip localhost:9092 greetings-cpp
#include <iostream>
#include <kq/kq.hpp>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
  if (argc != 3) return std::cerr << "usage: " << argv[0] << " BROKERS TOPIC\n", 2;
  const char* const topic = argv[2];
  const kq::Config config{{"bootstrap.servers", argv[1]}, {"compression.type", "lz4"}};

  kq::Admin admin(config);
  const kq::Rows made = admin.run(kq::Request("create_topics").set("topic", topic).set("partitions", 1));
  if (made.error(0)) throw kq::Exception(kq::Error::copy(made.error(0)));

  kq::Producer producer(config);
  const kq::Header headers[] = {{"from", "kq.hpp"}};
  for (const char* word : {"zero", "copies", "between", "socket", "and", "you"})
    producer.send({.topic = topic, .key = word, .value = word, .headers = headers});
  producer.flush();
  size_t delivered = 0;
  while (const kq::Batch batch = producer.poll(0ms)) delivered += batch.size();

  kq::Consumer consumer(config);
  consumer.assign({{topic, 0, KQ_EARLIEST}});
  const int64_t end = consumer.offset_at(topic, 0, KQ_LATEST);
  while (consumer.position(topic, 0) < end) {
    const kq::Batch batch = consumer.poll(1s);
    for (const kq::Record record : batch)
      std::cout << record.topic() << '-' << record.partition() << " @" << record.offset() << "  " << record.key() << " = " << record.value()
                << "  (from " << record.header("from").value_or("nobody") << ")\n";
  }
  std::cout << delivered << " delivered, " << end << " read\n";

  const kq::Rows gone = admin.run(kq::Request("delete_topics").set("topic", topic));
  if (gone.error(0)) throw kq::Exception(kq::Error::copy(gone.error(0)));
  return 0;
} catch (const kq::Exception& exception) {
  std::cerr << exception.error().name() << ": " << exception.what() << '\n';
  return 1;
}
