package io.kq;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What the tests run against: the broker of the environment variable KQ_TEST_BOOTSTRAP, or else one kqd inside this JVM. */
final class Cluster {
  static final boolean FULL = "full".equals(System.getenv("KQ_TEST_TIER"));
  static final boolean OWN = System.getenv("KQ_TEST_BOOTSTRAP") == null;
  private static final AtomicInteger COUNT = new AtomicInteger();
  private static String bootstrap;

  private Cluster() {}

  static synchronized String bootstrap() {
    if (bootstrap == null) {
      bootstrap = System.getenv("KQ_TEST_BOOTSTRAP");
      if (bootstrap == null) {
        bootstrap = KqBroker.start(Map.of("offsets.topic.num.partitions", "2", "transaction.state.log.num.partitions", "2",
            "log.retention.check.interval.ms", "1000")).bootstrapServers();
      }
    }
    return bootstrap;
  }

  static String name(String prefix) {
    return prefix + '-' + COUNT.incrementAndGet() + '-' + Long.toString(System.nanoTime(), 36);
  }

  static String topic(int partitions) {
    String topic = name("topic");
    try (KqAdmin admin = new KqAdmin(Map.of("bootstrap.servers", bootstrap()))) {
      admin.createTopic(topic, partitions, 1);
    }
    return topic;
  }

  static Map<String, Object> settings(Object... pairs) {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", bootstrap());
    for (int i = 0; i < pairs.length; i += 2) settings.put((String) pairs[i], pairs[i + 1]);
    return settings;
  }

  static KqProducer<String, String> producer(Object... pairs) {
    return new KqProducer<>(settings(pairs), new StringSerializer(), new StringSerializer());
  }

  static KqConsumer<String, String> consumer(Object... pairs) {
    Map<String, Object> settings = settings("auto.offset.reset", "earliest");
    settings.putAll(settings(pairs));
    return new KqConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
  }

  /** Polls until there are so many records, for half a minute at most. */
  static <K, V> List<ConsumerRecord<K, V>> take(Consumer<K, V> consumer, int count) {
    List<ConsumerRecord<K, V>> records = new ArrayList<>();
    until(() -> {
      consumer.poll(Duration.ofMillis(100)).forEach(records::add);
      return records.size() >= count;
    });
    return records;
  }

  static void until(BooleanSupplier done) {
    for (long end = System.nanoTime() + 30_000_000_000L; !done.getAsBoolean(); ) {
      if (System.nanoTime() > end) throw new AssertionError("it has not happened within half a minute");
    }
  }
}
