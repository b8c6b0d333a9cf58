package io.kq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ConcurrentModificationException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.InvalidGroupIdException;
import org.apache.kafka.common.errors.RecordDeserializationException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.IntegerDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;

class BadInputTest {
  private static void refused(String what, String why) {
    Map<String, Object> settings = Cluster.settings(what, why);
    ConfigException failure = assertThrows(ConfigException.class, () -> new KqProducer<>(settings, new StringSerializer(), new StringSerializer()).close());
    assertTrue(failure.getMessage().contains(what), failure.getMessage());
  }

  @Test
  void unknownSettingsAreRefusedWithTheNearest() {
    ConfigException failure = assertThrows(ConfigException.class, () -> Cluster.producer("linger.mss", "5"));
    assertTrue(failure.getMessage().contains("linger.ms"), failure.getMessage());
    refused("linger.ms", "soon");
    refused("acks", "7");
    refused("partitioner.class", "org.apache.kafka.clients.producer.RoundRobinPartitioner");
    assertThrows(ConfigException.class, () -> new KqProducer<String, String>(Cluster.settings()));
    assertThrows(ConfigException.class, () -> new KqProducer<String, String>(Cluster.settings("key.serializer", "no.such.Class", "value.serializer", StringSerializer.class)));
    assertThrows(ConfigException.class, () -> new KqProducer<String, String>(Cluster.settings("key.serializer", String.class, "value.serializer", StringSerializer.class)));
    assertThrows(IllegalArgumentException.class, () -> new KqConsumer<String, String>((Map<String, Object>) null));
  }

  @Test
  void kafkasOwnSettingsThatDoNotMatterAreTaken() {
    Cluster.producer("client.dns.lookup", "use_all_dns_ips", "metric.reporters", "", "enable.metrics.push", false, "connections.max.idle.ms", 1000,
        "acks", "-1", "retries", 3, "compression.type", "ZSTD", "partitioner.ignore.keys", "false").close();
  }

  @Test
  void aClosedHandleSaysSo() {
    String topic = Cluster.topic(1);
    KqProducer<String, String> producer = Cluster.producer();
    producer.close();
    producer.close();
    assertThrows(IllegalStateException.class, () -> producer.send(new ProducerRecord<>(topic, "x")));
    assertThrows(IllegalStateException.class, producer::flush);
    assertThrows(IllegalStateException.class, () -> producer.partitionsFor(topic));
    KqConsumer<String, String> consumer = Cluster.consumer("group.id", "g");
    consumer.close();
    consumer.close();
    assertThrows(IllegalStateException.class, () -> consumer.poll(Duration.ZERO));
    assertThrows(IllegalStateException.class, () -> consumer.subscribe(List.of(topic)));
    assertThrows(IllegalStateException.class, consumer::commitSync);
    KqAdmin admin = new KqAdmin(Cluster.settings());
    admin.close();
    assertThrows(IllegalStateException.class, admin::topics);
    KqBroker broker = KqBroker.start();
    broker.close();
    broker.close();
    assertThrows(IllegalStateException.class, broker::failure);
  }

  @Test
  void nullsAreRefused() {
    String topic = Cluster.topic(1);
    try (KqProducer<String, String> producer = Cluster.producer(); KqConsumer<String, String> consumer = Cluster.consumer("group.id", "g")) {
      assertThrows(NullPointerException.class, () -> producer.send(null));
      assertThrows(IllegalArgumentException.class, () -> consumer.subscribe((List<String>) null));
      assertThrows(IllegalArgumentException.class, () -> consumer.subscribe((Pattern) null));
      assertThrows(IllegalArgumentException.class, () -> consumer.subscribe(List.of(" ")));
      assertThrows(IllegalArgumentException.class, () -> consumer.assign(null));
      assertThrows(IllegalArgumentException.class, () -> consumer.assign(List.of(new TopicPartition(null, 0))));
      assertThrows(IllegalArgumentException.class, () -> consumer.poll(Duration.ofMillis(-1)));
      Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
      offsets.put(new TopicPartition(topic, 0), null);
      assertThrows(IllegalArgumentException.class, () -> consumer.commitSync(offsets));
      assertThrows(IllegalStateException.class, () -> consumer.poll(Duration.ZERO));
      assertThrows(IllegalStateException.class, () -> consumer.seek(new TopicPartition(topic, 0), 1));
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      assertThrows(IllegalStateException.class, () -> consumer.subscribe(List.of(topic)));
      assertThrows(IllegalArgumentException.class, () -> consumer.seek(new TopicPartition(topic, 0), -1));
      assertThrows(UnsupportedOperationException.class, consumer::enforceRebalance);
    }
    try (KqConsumer<String, String> consumer = Cluster.consumer()) {
      assertThrows(InvalidGroupIdException.class, () -> consumer.subscribe(List.of(topic)));
      assertThrows(InvalidGroupIdException.class, consumer::commitSync);
      assertThrows(InvalidGroupIdException.class, consumer::groupMetadata);
    }
  }

  @Test
  @SuppressWarnings({"unchecked", "rawtypes"})
  void wrongTypesAndRecordsThatCannotBeSent() {
    String topic = Cluster.topic(1);
    try (KqProducer<String, String> producer = Cluster.producer("max.block.ms", 500)) {
      assertThrows(SerializationException.class, () -> ((KqProducer) producer).send(new ProducerRecord(topic, 5)));
      failsWith(RecordTooLargeException.class, producer.send(new ProducerRecord<>(topic, "x".repeat(2 << 20))));
      List<Exception> told = new java.util.ArrayList<>();
      failsWith(IllegalArgumentException.class, producer.send(new ProducerRecord<>(topic, 7, null, "no such partition"), (metadata, failure) -> {
        assertEquals(-1, metadata.offset());
        told.add(failure);
      }));
      assertEquals(1, told.size());
      failsWith(org.apache.kafka.common.errors.InvalidTopicException.class, producer.send(new ProducerRecord<>("no spaces, please", "x")));
    }
  }

  private static void failsWith(Class<? extends Exception> kind, Future<RecordMetadata> sent) {
    assertInstanceOf(kind, assertThrows(ExecutionException.class, () -> sent.get(30, TimeUnit.SECONDS)).getCause());
  }

  @Test
  void anUnreachableClusterIsTold() throws IOException {
    int port;
    try (ServerSocket socket = new ServerSocket(0)) {
      port = socket.getLocalPort();
    }
    Map<String, Object> nobody = Map.of("bootstrap.servers", "127.0.0.1:" + port, "max.block.ms", "300", "default.api.timeout.ms", "300");
    try (KqProducer<String, String> producer = new KqProducer<>(nobody, new StringSerializer(), new StringSerializer())) {
      failsWith(TimeoutException.class, producer.send(new ProducerRecord<>("t", "x")));
      Future<RecordMetadata> alone = producer.send(new ProducerRecord<>("t", "y"));
      Cluster.until(alone::isDone);
      assertThrows(TimeoutException.class, () -> producer.partitionsFor("t"));
    }
    try (KqConsumer<String, String> consumer = new KqConsumer<>(nobody, new StringDeserializer(), new StringDeserializer())) {
      TopicPartition partition = new TopicPartition("t", 0);
      consumer.assign(List.of(partition));
      assertTrue(consumer.poll(Duration.ofMillis(300)).isEmpty());
      assertThrows(TimeoutException.class, () -> consumer.position(partition));
      assertThrows(RuntimeException.class, () -> consumer.endOffsets(List.of(partition)));
    }
  }

  @Test
  void aConsumerIsOneThreadsAtATime() throws Exception {
    String topic = Cluster.topic(1);
    try (KqConsumer<String, String> consumer = Cluster.consumer()) {
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      Thread poller = new Thread(() -> {
        for (boolean polled = false; !polled; ) {
          try {
            consumer.poll(Duration.ofSeconds(60));
          } catch (ConcurrentModificationException e) {
            // This thread was not the first.
          } catch (WakeupException e) {
            polled = true;
          }
        }
      });
      poller.start();
      Cluster.until(() -> {
        try {
          consumer.paused();
          Thread.yield();
          return false;
        } catch (ConcurrentModificationException e) {
          return true;
        }
      });
      assertThrows(ConcurrentModificationException.class, consumer::close);
      consumer.wakeup();
      poller.join();
    }
  }

  @Test
  void interruptsEndWhatWaits() {
    String topic = Cluster.topic(1);
    try (KqConsumer<String, String> consumer = Cluster.consumer(); KqProducer<String, String> producer = Cluster.producer()) {
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      Thread.currentThread().interrupt();
      assertThrows(InterruptException.class, () -> consumer.poll(Duration.ofSeconds(60)));
      Thread.interrupted();
      Thread.currentThread().interrupt();
      assertThrows(InterruptException.class, () -> producer.partitionsFor("unheard-of-" + topic));
      Thread.interrupted();
    }
  }

  @Test
  void aRecordThatCannotBeReadIsToldAndCanBeSkipped() {
    String topic = Cluster.topic(1);
    TopicPartition partition = new TopicPartition(topic, 0);
    try (KqProducer<String, String> producer = Cluster.producer();
        KqConsumer<String, Integer> consumer = new KqConsumer<>(Cluster.settings("auto.offset.reset", "earliest"), new StringDeserializer(), new IntegerDeserializer())) {
      for (String value : List.of("four", "good", "is not four", "last")) producer.send(new ProducerRecord<>(topic, value));
      producer.flush();
      consumer.assign(List.of(partition));
      assertEquals(2, Cluster.take(consumer, 2).size());
      for (int i = 0; i < 2; i++) {
        RecordDeserializationException failure = assertThrows(RecordDeserializationException.class, () -> Cluster.take(consumer, 1));
        assertEquals(2, failure.offset());
        assertEquals(partition, failure.topicPartition());
      }
      consumer.seek(partition, 3);
      List<ConsumerRecord<String, Integer>> rest = Cluster.take(consumer, 1);
      assertEquals(3, rest.get(0).offset());
      assertEquals(Set.of(partition), consumer.assignment());
    }
  }

  @Test
  void aClosedBatchSaysSo() {
    String topic = Cluster.topic(1);
    try (KqConsumer<String, String> consumer = Cluster.consumer()) {
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      KqBatch empty = consumer.pollBatch(Duration.ZERO);
      assertTrue(empty.isEmpty());
      assertThrows(IndexOutOfBoundsException.class, () -> empty.value(0));
      empty.close();
      empty.close();
      assertThrows(IllegalStateException.class, () -> empty.offset(0));
    }
  }

  @Test
  void anAdministratorsMistakesAreTold() {
    String topic = Cluster.topic(1);
    try (KqAdmin admin = new KqAdmin(Cluster.settings())) {
      assertEquals("TOPIC_ALREADY_EXISTS", assertThrows(KqException.class, () -> admin.createTopic(topic, 1, 1)).name());
      assertThrows(KqException.Refused.class, () -> admin.request("make_coffee"));
      assertThrows(KqException.Refused.class, () -> admin.request("list_topics").set("topic", "x"));
      KqAdmin.Request done = admin.request("list_topics");
      assertTrue(done.run().stream().anyMatch(row -> row.text("topic").equals(topic)));
      assertThrows(IllegalStateException.class, done::run);
      assertThrows(IllegalArgumentException.class, () -> admin.request("list_topics").run().get(0).text("colour"));
      assertThrows(KqException.class, () -> new KqAdmin(Map.of("bootstrap.serverz", "x")));
    }
    assertThrows(KqException.class, () -> KqBroker.start(Map.of("log.dirs", "/proc/nowhere")));
    assertThrows(KqException.class, () -> KqBroker.start(Map.of("listeners", "nonsense")));
  }
}
