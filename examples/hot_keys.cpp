// A key with far more records than the others fills one partition and one consumer.  Two ways out, side by side:
//   salt       "shop-1#0" .. "shop-1#3": the hot key alone is spread; its records are in order no longer, and who counts them adds up
//   composite  "shop-1/order-17": what has to stay in order is the order, so that is what the key says
//   hot_keys localhost:9092 sales                  (prints how the records lie with the plain key, with salt, with the composite key)
#include <iostream>
#include <map>
#include <set>
#include <kq/kq.hpp>

constexpr int records = 4000, salts = 4;
static const std::set<std::string> hot = {"shop-1"};                 // known beforehand, or measured

static std::string salted(const std::string& key, int number) {
  return hot.contains(key) ? key + "#" + std::to_string(number % salts) : key;
}
static std::string composite(const std::string& key, int order) { return key + "/order-" + std::to_string(order); }
static std::string unsalted(std::string_view key) { return std::string(key.substr(0, key.find('#'))); }   // for who reads

int main(int argc, char** argv) try {
  if (argc != 3) return std::cerr << "usage: " << argv[0] << " BROKERS TOPIC\n", 2;
  kq::Producer producer(kq::Config{{"bootstrap.servers", argv[1]}});
  std::map<std::string, std::map<int32_t, int>> loads;                 // of each way, by partition
  std::map<std::string, int> totals;                                   // by key, however salted
  const std::string ways[] = {"plain", "salted", "composite"};
  for (uint64_t way = 0; way < 3; ++way) {
    for (int i = 0; i < records; ++i) {
      const std::string shop = i % 10 ? "shop-1" : "shop-" + std::to_string(2 + i % 7), order = std::to_string(i / 5);
      const std::string key = way == 0 ? shop : way == 1 ? salted(shop, i) : composite(shop, i / 5);
      if (way == 1) ++totals[unsalted(key)];
      producer.send({.topic = argv[2], .key = key, .value = order, .tag = way});
    }
    producer.flush();
    while (const kq::Batch batch = producer.poll(kq::Milliseconds(0)))
      for (const kq::Record delivered : batch) ++loads[ways[delivered.tag()]][delivered.partition()];
  }
  for (const auto& [way, load] : loads) {
    std::cout << way << ":";
    for (const auto& [partition, count] : load) std::cout << ' ' << partition << '=' << count;
    std::cout << '\n';
  }
  std::cout << "shop-1 in all: " << totals["shop-1"] << '\n';
  return 0;
} catch (const kq::Exception& exception) {
  std::cerr << exception.error().name() << ": " << exception.what() << '\n';
  return 1;
}
