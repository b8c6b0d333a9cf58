package io.kq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.Test;

class MemoryTest {
  private static final int RECORDS = 100_000; // a round
  private static final int WARM_UP = 4; // rounds: the heap has grown to its size, and code is compiled
  private static final int ROUNDS = 12;
  private static final long FULL_NANOS = 600_000_000_000L; // ten minutes
  private static final long GROWTH_KIB_MAX = 24 << 10;
  private static final List<ByteBuffer> LEAK = new ArrayList<>();

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

  private interface Round {
    void run(int number);
  }

  /** By how much memory grows: in a million records and more, or in ten minutes.  The heap is there from the start, so that is native. */
  private static long growthKib(boolean full, Round round) {
    for (int i = 0; i < WARM_UP; i++) round.run(i);
    System.gc();
    long before = residentKib();
    long end = System.nanoTime() + (full ? FULL_NANOS : 0);
    for (int i = 0; i < ROUNDS || System.nanoTime() < end; i++) round.run(i);
    System.gc();
    return residentKib() - before;
  }

  @Test
  void recordsLeaveNothingBehind() {
    boolean full = Cluster.FULL && Cluster.OWN;
    String topic = Cluster.topic(1);
    try (KqAdmin admin = new KqAdmin(Cluster.settings());
        KqProducer<byte[], byte[]> producer = new KqProducer<>(Cluster.settings(), new ByteArraySerializer(), new ByteArraySerializer());
        KqConsumer<byte[], byte[]> consumer = new KqConsumer<>(Cluster.settings("auto.offset.reset", "earliest"), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      Map.of("segment.bytes", "16777216", "retention.bytes", "134217728").forEach((config, value) -> admin.request("alter_configs")
          .set("resource_type", "topic").set("resource", topic).set("config", config).set("value", value).run().get(0).check());
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      long growth = growthKib(full, number -> round(producer, consumer, topic, RECORDS, number % 2 == 1));
      assertTrue(growth < GROWTH_KIB_MAX, growth + " KiB more after a million records");
    }
  }

  /** A leak of half of each record's value would be seen. */
  @Test
  void whatLeaksIsSeen() {
    long growth = growthKib(false, number -> {
      ByteBuffer kept = ByteBuffer.allocateDirect(RECORDS * 50);
      while (kept.hasRemaining()) kept.put((byte) 1);
      LEAK.add(kept);
    });
    LEAK.clear();
    assertTrue(growth >= GROWTH_KIB_MAX, growth + " KiB more, and that passes");
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
