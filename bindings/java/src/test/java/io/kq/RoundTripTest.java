package io.kq;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.Test;

class RoundTripTest {
  @Test
  void aRecordComesBackWithEverythingThatItWasSentWith() throws Exception {
    String topic = Cluster.topic(2);
    try (KqProducer<String, String> producer = Cluster.producer(); KqConsumer<String, String> consumer = Cluster.consumer()) {
      ProducerRecord<String, String> record = new ProducerRecord<>(topic, 1, 1_700_000_000_123L, "kéy", "välue 𝄞");
      record.headers().add("trace", new byte[] {0, 1, 2}).add("trace", null).add("schlüssel", new byte[0]);
      RecordMetadata metadata = producer.send(record).get(30, TimeUnit.SECONDS);
      assertEquals(topic, metadata.topic());
      assertEquals(1, metadata.partition());
      assertEquals(0, metadata.offset());
      assertEquals(1_700_000_000_123L, metadata.timestamp());
      assertEquals("kéy".getBytes(StandardCharsets.UTF_8).length, metadata.serializedKeySize());

      consumer.assign(List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1)));
      ConsumerRecord<String, String> received = Cluster.take(consumer, 1).get(0);
      assertEquals(topic, received.topic());
      assertEquals(1, received.partition());
      assertEquals(0, received.offset());
      assertEquals("kéy", received.key());
      assertEquals("välue 𝄞", received.value());
      assertEquals(1_700_000_000_123L, received.timestamp());
      assertEquals(TimestampType.CREATE_TIME, received.timestampType());
      assertEquals(0, received.leaderEpoch().orElseThrow());
      assertEquals(3, received.headers().toArray().length);
      assertArrayEquals(new byte[] {0, 1, 2}, received.headers().toArray()[0].value());
      assertNull(received.headers().lastHeader("trace").value());
      assertArrayEquals(new byte[0], received.headers().lastHeader("schlüssel").value());
    }
  }

  @Test
  void nullsAndEmptyOnesStayApart() {
    String topic = Cluster.topic(1);
    try (KqProducer<byte[], byte[]> producer = new KqProducer<>(Cluster.settings(), new ByteArraySerializer(), new ByteArraySerializer());
        KqConsumer<byte[], byte[]> consumer = new KqConsumer<>(Cluster.settings("auto.offset.reset", "earliest"), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      byte[] empty = new byte[0];
      producer.send(new ProducerRecord<>(topic, null, null));
      producer.send(new ProducerRecord<>(topic, empty, empty));
      producer.send(new ProducerRecord<>(topic, empty, null));
      producer.flush();
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      List<ConsumerRecord<byte[], byte[]>> records = Cluster.take(consumer, 3);
      assertNull(records.get(0).key());
      assertNull(records.get(0).value());
      assertArrayEquals(empty, records.get(1).key());
      assertArrayEquals(empty, records.get(1).value());
      assertArrayEquals(empty, records.get(2).key());
      assertNull(records.get(2).value());
      assertEquals(-1, records.get(2).serializedValueSize());
    }
  }

  @Test
  void manyRecordsOfManySizesKeepTheirOrder() throws Exception {
    String topic = Cluster.topic(3);
    int count = Cluster.FULL ? 200_000 : 20_000;
    AtomicInteger called = new AtomicInteger();
    List<Future<RecordMetadata>> futures = new ArrayList<>();
    try (KqProducer<byte[], byte[]> producer = new KqProducer<>(Cluster.settings(), new ByteArraySerializer(), new ByteArraySerializer())) {
      for (int i = 0; i < count; i++) {
        byte[] value = ByteBuffer.allocate(i % 5000 == 4999 ? 300_000 : 4 + i % 300).putInt(i).array();
        futures.add(producer.send(new ProducerRecord<>(topic, i % 3, null, value), (metadata, failure) -> called.incrementAndGet()));
      }
      producer.flush();
      assertEquals(count, called.get());
      for (int i = 0; i < count; i++) {
        assertTrue(futures.get(i).isDone());
        assertEquals(i / 3, futures.get(i).get().offset());
      }
    }
    try (KqConsumer<byte[], byte[]> consumer = new KqConsumer<>(Cluster.settings("auto.offset.reset", "earliest"), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.assign(List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1), new TopicPartition(topic, 2)));
      int[] next = {0, 1, 2};
      for (ConsumerRecord<byte[], byte[]> record : Cluster.take(consumer, count)) {
        assertEquals(next[record.partition()], ByteBuffer.wrap(record.value()).getInt());
        next[record.partition()] += 3;
      }
    }
  }

  @Test
  void threadsShareAProducer() throws Exception {
    String topic = Cluster.topic(1);
    int count = 5000;
    try (KqProducer<String, String> producer = Cluster.producer("linger.ms", "0")) {
      List<Thread> threads = new ArrayList<>();
      for (int t = 0; t < 4; t++) {
        int me = t;
        threads.add(new Thread(() -> {
          for (int i = 0; i < count; i++) producer.send(new ProducerRecord<>(topic, me + ":" + i));
        }));
      }
      for (Thread thread : threads) thread.start();
      for (Thread thread : threads) thread.join();
    }
    try (KqConsumer<String, String> consumer = Cluster.consumer()) {
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      Set<String> values = new HashSet<>();
      for (ConsumerRecord<String, String> record : Cluster.take(consumer, 4 * count)) values.add(record.value());
      assertEquals(4 * count, values.size());
    }
  }

  @Test
  void whoWaitsForARecordDoesNotWaitForCompany() throws Exception {
    String topic = Cluster.topic(1);
    try (KqProducer<String, String> producer = Cluster.producer("linger.ms", 0)) {
      for (int i = 0; i < 100; i++) assertEquals(i, producer.send(new ProducerRecord<>(topic, "x")).get(30, TimeUnit.SECONDS).offset());
    }
  }

  @Test
  void callbacksMaySendAndCloseAndFail() throws Exception {
    String topic = Cluster.topic(1);
    CountDownLatch closed = new CountDownLatch(1);
    KqProducer<String, String> producer = Cluster.producer();
    producer.send(new ProducerRecord<>(topic, "1"), (metadata, failure) -> {
      assertThrows(KafkaException.class, producer::flush);
      producer.send(new ProducerRecord<>(topic, "2"), (again, none) -> {
        producer.close();
        closed.countDown();
        throw new IllegalStateException("on purpose; it is logged");
      });
    });
    assertTrue(closed.await(30, TimeUnit.SECONDS));
    assertThrows(IllegalStateException.class, () -> producer.send(new ProducerRecord<>(topic, "3")));
    try (KqConsumer<String, String> consumer = Cluster.consumer()) {
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      assertEquals("2", Cluster.take(consumer, 2).get(1).value());
    }
  }

  @Test
  void whatCloseHasNoTimeForFails() {
    Map<String, Object> nobody = Map.of("bootstrap.servers", "127.0.0.1:1");
    KqProducer<byte[], byte[]> producer = new KqProducer<>(nobody, new ByteArraySerializer(), new ByteArraySerializer());
    Future<RecordMetadata> lost = producer.send(new ProducerRecord<>("t", new byte[1]));
    producer.close(Duration.ZERO);
    assertTrue(lost.isDone());
    assertThrows(ExecutionException.class, lost::get);
  }

  @Test
  void aBatchIsReadWhereItLies() {
    String topic = Cluster.topic(1);
    try (KqProducer<String, String> producer = Cluster.producer("compression.type", "zstd"); KqConsumer<String, String> consumer = Cluster.consumer()) {
      for (int i = 0; i < 1000; i++) producer.send(new ProducerRecord<>(topic, null, "value " + i));
      producer.flush();
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      List<ByteBuffer> views = new ArrayList<>();
      while (views.size() < 1000) {
        try (KqBatch batch = consumer.pollBatch(Duration.ofSeconds(1))) {
          for (int i = 0; i < batch.count(); i++) {
            assertEquals(views.size(), batch.offset(i));
            assertEquals(topic, batch.topic(i));
            assertNull(batch.key(i));
            assertNull(batch.keyBytes(i));
            assertEquals("value " + views.size(), new String(batch.valueBytes(i), StandardCharsets.UTF_8));
            views.add(batch.value(i));
          }
        }
      }
      System.gc();
      for (int i = 0; i < 1000; i++) assertEquals("value " + i, StandardCharsets.UTF_8.decode(views.get(i)).toString());
      assertEquals(1000, consumer.position(new TopicPartition(topic, 0)));
    }
  }

  @Test
  void metricsAreEmptyAndTopicsHavePartitions() {
    String topic = Cluster.topic(4);
    try (KqProducer<String, String> producer = Cluster.producer(); KqConsumer<String, String> consumer = Cluster.consumer()) {
      assertEquals(4, producer.partitionsFor(topic).size());
      assertEquals(4, consumer.partitionsFor(topic).size());
      assertFalse(consumer.partitionsFor(topic).get(0).leader().isEmpty());
      assertEquals(4, consumer.listTopics().get(topic).size());
      assertEquals(Map.of(), producer.metrics());
    }
  }
}
