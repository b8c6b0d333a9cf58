// Against what Kafka 4.2's org.apache.kafka.coordinator.group.Utils makes of the same topics, and hash4j of the same bytes.
#include "broker/group/metadata_hash.hpp"

#include "broker/group/xxh3.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::group;

namespace {

struct Topics {
  Topics() {
    add_broker(1, "west");
    add_broker(2, "\xc3\xa8\xf0\x9f\x98\x80");  // in UTF-16 three units
    add_broker(3, std::nullopt);
    add("orders", 0x0102030405060708, 0x090a0b0c0d0e0f10, 3, {3});
    add("payments.eu-1", 0x1112131415161718, 0x191a1b1c1d1e1f20, 1, {2, 1, 3, 9});
    add("wide", 1, 2, 300, {3});
  }
  void add_broker(int32_t id, std::optional<std::string> rack) {
    cluster::BrokerImage broker;
    broker.id = id;
    broker.rack = std::move(rack);
    image.brokers[id] = std::make_shared<const cluster::BrokerImage>(std::move(broker));
  }
  void add(const std::string& name, uint64_t high, uint64_t low, size_t partitions, const std::vector<int32_t>& replicas) {
    cluster::TopicImage topic;
    topic.name = name;
    store_be(topic.id.bytes.data(), high);
    store_be(topic.id.bytes.data() + 8, low);
    topic.partitions.resize(partitions);
    for (auto& partition : topic.partitions) partition.replicas = replicas;
    image.topics.put(name, std::make_shared<const cluster::TopicImage>(std::move(topic)));
  }

  cluster::Image image;
};

}  // namespace

static void bytes_of_every_length_hash_as_with_xxh3(void**) {
  const struct {
    size_t size;
    uint64_t hash;
  } known[] = {
      {0, 0x2d06800538d394c2}, {1, 0x13e608bc156defed}, {2, 0x1c9074b93943b86c}, {3, 0xa9088dda485b481c}, {4, 0x6d9253b16c8b1ed3},
      {5, 0x998620e10e3a4b37}, {8, 0x60539db630471163}, {9, 0xfeff668361d723a8}, {16, 0xb8c859b0f030b585},
      {17, 0x714a04408e79b80f}, {32, 0x19ff4ee1d6ba1a55}, {33, 0x3e44983ad21679c8}, {64, 0x287eb1fa9e4be2c1},
      {100, 0xb5937857f0d78c9f}, {128, 0x67425a03650261bf}, {129, 0xc664bf3311c6abc4}, {160, 0xd70dea8de694b883},
      {239, 0x1d861931c1f3cafa}, {240, 0x64556dc6b462a6cf}, {241, 0x8beadd3a8874fe17}, {256, 0x3c38817f6d79c0da},
      {511, 0xe3fca5c97aa72e1b}, {512, 0xf58202b8d9019d1d}, {1023, 0xd26986a0b85dcc44}, {1024, 0x9b81661c641c72b1},
      {1025, 0x806c2072ed713576}, {1088, 0x2f8781e01841f0da}, {2048, 0xabe604813ba62ed1}, {5000, 0x799aaddd7339581d},
  };
  for (const auto& [size, hash] : known) {
    std::vector<std::byte> bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + 3);
    assert_true(xxh3_64(bytes) == hash);
  }
}

static void a_groups_hash_is_kafkas(void**) {
  const Topics topics;
  assert_int_equal(hash_of(topics.image, {"orders"}), 4469793264692497189);
  assert_int_equal(hash_of(topics.image, {"payments.eu-1"}), 2666962709964865260);
  assert_int_equal(hash_of(topics.image, {"wide"}), 5880323912672717025);
  assert_int_equal(hash_of(topics.image, {"orders", "payments.eu-1", "wide"}), 8669576453031439159);
}

static void topics_that_are_not_there_do_not_count(void**) {
  const Topics topics;
  assert_int_equal(hash_of(topics.image, {}), 0);
  assert_int_equal(hash_of(topics.image, {"gone"}), 0);
  assert_int_equal(hash_of(topics.image, {"gone", "orders"}), hash_of(topics.image, {"orders"}));
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(bytes_of_every_length_hash_as_with_xxh3),
      cmocka_unit_test(a_groups_hash_is_kafkas),
      cmocka_unit_test(topics_that_are_not_there_do_not_count),
  };
  return cmocka_run_group_tests_name("group.metadata_hash", tests, nullptr, nullptr);
}
