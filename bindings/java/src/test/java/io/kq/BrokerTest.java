package io.kq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kq.junit.KqBrokerExtension;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

class BrokerTest {
  @RegisterExtension static KqBrokerExtension kafka = new KqBrokerExtension().topic("orders", 3);

  @Test
  void theExtensionStartsABrokerWithItsTopics() {
    try (KqAdmin admin = new KqAdmin(Map.of("bootstrap.servers", kafka.bootstrapServers()))) {
      KqAdmin.Row orders = admin.request("describe_topics").set("topic", "orders").run().get(0).check();
      assertEquals(3, orders.rows("partitions").size());
      assertEquals(1, orders.rows("partitions").get(0).rows("replicas").size());
      assertEquals("delete", config(admin, "orders", "cleanup.policy"));
    }
  }

  private static String config(KqAdmin admin, String topic, String name) {
    return admin.request("describe_configs").set("resource_type", "topic").set("resource", topic).run().get(0).check().rows("configs").stream()
        .filter(row -> row.text("config").equals(name)).findFirst().orElseThrow().text("value");
  }

  @Test
  void kafkasOwnClientsUseItToo() throws Exception {
    Map<String, Object> settings = Map.of("bootstrap.servers", kafka.bootstrapServers(), "auto.offset.reset", "earliest");
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
      assertEquals(0, producer.send(new ProducerRecord<>("orders", 1, "k", "v")).get(30, TimeUnit.SECONDS).offset());
      consumer.assign(List.of(new TopicPartition("orders", 1)));
      assertEquals("v", Cluster.take(consumer, 1).get(0).value());
    }
  }

  @Test
  void itsDataOutlivesIt(@TempDir Path directory) throws Exception {
    Map<String, String> config = Map.of("log.dirs", directory.resolve("data").toString());
    Path log = directory.resolve("broker.log");
    for (long start = 0; start < 2; start++) {
      try (KqBroker broker = KqBroker.start(config, log);
          KqProducer<String, String> producer = new KqProducer<>(Map.of("bootstrap.servers", broker.bootstrapServers()), new StringSerializer(), new StringSerializer())) {
        assertEquals(start, producer.send(new ProducerRecord<>("t", "x")).get(30, TimeUnit.SECONDS).offset());
        assertNull(broker.failure());
      }
    }
    assertTrue(Files.exists(log));
    assertFalse(Files.exists(directory.resolve("data/.lock.kq")));
  }
}
