package io.kq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.Test;

class MemoryTest {
  private static final int RECORDS = Cluster.FULL ? 1_000_000 : 200_000;
  private static final long GROWTH_KIB_MAX = 24 << 10;

  private static long residentKib() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith("VmRSS:")) return Long.parseLong(line.replaceAll("\\D", ""));
      }
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
    throw new IllegalStateException("no VmRSS");
  }

  private static void round(KqProducer<byte[], byte[]> producer, KqConsumer<byte[], byte[]> consumer, String topic, int records, boolean views) {
    byte[] value = new byte[100];
    for (int i = 0; i < records; i++) {
      ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, null, value);
      if (i % 10 == 0) record.headers().add("number", value);
      producer.send(record, (metadata, failure) -> {});
    }
    producer.flush();
    for (int taken = 0; taken < records; ) {
      if (views) {
        try (KqBatch batch = consumer.pollBatch(Duration.ofSeconds(1))) {
          for (int i = 0; i < batch.count(); i++) assertEquals(100, batch.value(i).remaining());
          taken += batch.count();
        }
      } else {
        taken += consumer.poll(Duration.ofSeconds(1)).count();
      }
    }
  }

  /** The heap is there from the start (pom.xml says so), so what grows is native. */
  @Test
  void recordsLeaveNothingBehind() {
    String topic = Cluster.topic(1);
    try (KqProducer<byte[], byte[]> producer = new KqProducer<>(Cluster.settings(), new ByteArraySerializer(), new ByteArraySerializer());
        KqConsumer<byte[], byte[]> consumer = new KqConsumer<>(Cluster.settings("auto.offset.reset", "earliest"), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      for (int i = 0; i < 4; i++) round(producer, consumer, topic, RECORDS / 4, i % 2 == 1); // the heap has grown to its size, and code is compiled
      System.gc();
      long before = residentKib();
      for (int i = 0; i < 4; i++) round(producer, consumer, topic, RECORDS / 4, i % 2 == 1);
      System.gc();
      long growth = residentKib() - before;
      assertTrue(growth < GROWTH_KIB_MAX, growth + " KiB more after " + RECORDS + " records");
    }
  }

  @Test
  void handlesLeaveNothingBehind() {
    String topic = Cluster.topic(1);
    long before = 0;
    int rounds = Cluster.FULL ? 200 : 15;
    for (int i = 0; i < 2 * rounds; i++) {
      if (i == rounds) before = residentKib();
      try (KqProducer<byte[], byte[]> producer = new KqProducer<>(Cluster.settings(), new ByteArraySerializer(), new ByteArraySerializer());
          KqConsumer<byte[], byte[]> consumer = new KqConsumer<>(Cluster.settings("auto.offset.reset", "earliest"), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
        consumer.assign(List.of(new TopicPartition(topic, 0)));
        round(producer, consumer, topic, 1, false);
        consumer.seekToEnd(List.of());
      }
    }
    long growth = residentKib() - before;
    assertTrue(growth < GROWTH_KIB_MAX, growth + " KiB more after " + rounds + " producers and consumers");
  }
}
