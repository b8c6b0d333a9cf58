import io.kq.KqBatch;
import io.kq.KqConsumer;
import io.kq.KqProducer;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Bench CLIENT WORK BROKER TOPIC RECORDS WARM SIZE: the same program for KafkaProducer and KqProducer, KafkaConsumer and KqConsumer.
 * Prints processor seconds of this process per million records, and records per second, both without the warm-up.
 */
public final class Bench {
  private static final com.sun.management.OperatingSystemMXBean SYSTEM =
      (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  private final boolean kq;
  private final String broker;
  private final String topic;
  private final long records;
  private final long warm;
  private final int size;
  private long wall;
  private long processor;

  private Bench(String[] arguments) {
    kq = arguments[0].equals("kq");
    broker = arguments[2];
    topic = arguments[3];
    records = Long.parseLong(arguments[4]);
    warm = Long.parseLong(arguments[5]);
    size = Integer.parseInt(arguments[6]);
  }

  public static void main(String[] arguments) {
    Bench bench = new Bench(arguments);
    switch (arguments[1]) {
      case "produce": bench.produce(); break;
      case "consume": bench.consume(); break;
      case "batches": bench.batches(); break;
      default: throw new IllegalArgumentException(arguments[1]);
    }
  }

  private void start() {
    wall = System.nanoTime();
    processor = SYSTEM.getProcessCpuTime();
  }

  private void end(long count) {
    double used = (SYSTEM.getProcessCpuTime() - processor) / 1e9;
    double took = (System.nanoTime() - wall) / 1e9;
    System.out.printf("%.4f %.0f%n", used / count * 1e6, count / took);
  }

  private void produce() {
    Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", broker, "linger.ms", 5, "batch.size", 1_000_000,
        "buffer.memory", 64 << 20, "max.request.size", 4 << 20, "acks", "all"));
    AtomicLong failed = new AtomicLong();
    Callback callback = (metadata, failure) -> {
      if (failure != null) failed.incrementAndGet();
    };
    byte[] value = new byte[size];
    for (int i = 0; i < size; i++) value[i] = (byte) (i * 31);
    try (Producer<byte[], byte[]> producer = kq ? new KqProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())
        : new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
      for (long i = 0; i < warm; i++) producer.send(new ProducerRecord<>(topic, 0, null, value), callback);
      producer.flush();
      start();
      for (long i = 0; i < records; i++) producer.send(new ProducerRecord<>(topic, 0, null, value), callback);
      producer.flush();
      end(records);
    }
    if (failed.get() > 0) throw new IllegalStateException(failed + " records failed");
  }

  private Map<String, Object> reading() {
    return Map.of("bootstrap.servers", broker, "auto.offset.reset", "earliest");
  }

  private void consume() {
    try (Consumer<byte[], byte[]> consumer = kq ? new KqConsumer<>(reading(), new ByteArrayDeserializer(), new ByteArrayDeserializer())
        : new KafkaConsumer<>(reading(), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      long bytes = 0;
      long taken = 0;
      long begun = -1;
      while (taken < warm + records) {
        if (begun < 0 && taken >= warm) {
          begun = taken;
          start();
        }
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
          bytes += record.value().length;
          taken++;
        }
      }
      end(taken - begun);
      if (bytes != taken * size) throw new IllegalStateException(bytes + " bytes");
    }
  }

  private void batches() {
    try (KqConsumer<byte[], byte[]> consumer = new KqConsumer<>(reading(), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      long bytes = 0;
      long taken = 0;
      long begun = -1;
      while (taken < warm + records) {
        if (begun < 0 && taken >= warm) {
          begun = taken;
          start();
        }
        try (KqBatch batch = consumer.pollBatch(Duration.ofSeconds(1))) {
          for (int i = 0; i < batch.count(); i++) bytes += batch.valueBytes(i).length;
          taken += batch.count();
        }
      }
      end(taken - begun);
      if (bytes != taken * size) throw new IllegalStateException(bytes + " bytes");
    }
  }
}
