import static org.junit.jupiter.api.Assertions.assertEquals;

import io.kq.KqAdmin;
import io.kq.KqBroker;
import io.kq.KqConsumer;
import io.kq.KqProducer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Runs the examples, each on topics of its own. */
class ExamplesTest {
  private static final String GIVEN = System.getenv("KQ_TEST_BOOTSTRAP");
  private static KqBroker own;
  private static String broker;
  private final String name = "example-" + Long.toString(System.nanoTime(), 36);

  @BeforeAll
  static void start() {
    if (GIVEN == null) own = KqBroker.start();
    broker = GIVEN == null ? own.bootstrapServers() : GIVEN;
  }

  @AfterAll
  static void stop() {
    if (own != null) own.close();
  }

  private static void topics(String... topics) {
    try (KqAdmin admin = new KqAdmin(Map.of("bootstrap.servers", broker))) {
      for (String topic : topics) admin.createTopic(topic, 1, 1);
    }
  }

  private static void fill(String topic, List<String> values) {
    try (KqProducer<String, String> producer = new KqProducer<>(Map.of("bootstrap.servers", broker), new StringSerializer(), new StringSerializer())) {
      for (String value : values) producer.send(new ProducerRecord<>(topic, value));
    }
  }

  private static <V> List<ConsumerRecord<String, V>> read(String topic, int count, Deserializer<V> values) {
    List<ConsumerRecord<String, V>> records = new ArrayList<>();
    Map<String, Object> settings = Map.of("bootstrap.servers", broker, "auto.offset.reset", "earliest", "isolation.level", "read_committed");
    try (KqConsumer<String, V> consumer = new KqConsumer<>(settings, new StringDeserializer(), values)) {
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      for (int polls = 0; records.size() < count && polls < 100; polls++) consumer.poll(Duration.ofMillis(200)).forEach(records::add);
      consumer.poll(Duration.ofMillis(200)).forEach(records::add); // no more than that
    }
    return records;
  }

  @Test
  void wordCount() {
    topics(name, name + ".counts");
    fill(name, List.of("To be, or not to be:", "that is the question."));
    WordCount.run(broker, name, name + ".counts", 2);
    Map<String, Long> counts = new HashMap<>();
    read(name + ".counts", 10, new LongDeserializer()).forEach(record -> counts.put(record.key(), record.value()));
    assertEquals(Map.of("to", 2L, "be", 2L, "or", 1L, "not", 1L, "that", 1L, "is", 1L, "the", 1L, "question", 1L), counts);
  }

  @Test
  void retryAndDeadLetter() {
    topics(name, name + ".retry", name + ".dead");
    fill(name, List.of("1", "two", "3"));
    List<String> worked = new ArrayList<>();
    RetryAndDeadLetter.run(broker, name, 3, value -> {
      worked.add(value);
      Integer.parseInt(value);
    });
    assertEquals(3, worked.stream().filter("two"::equals).count());
    List<ConsumerRecord<String, String>> dead = read(name + ".dead", 1, new StringDeserializer());
    assertEquals(1, dead.size());
    assertEquals("two", dead.get(0).value());
    assertEquals("3", new String(dead.get(0).headers().lastHeader("tries").value()));
  }

  @Test
  void exactlyOnce() {
    topics(name, name + ".out");
    List<String> values = new ArrayList<>();
    for (int i = 0; i < 1000; i++) values.add("value-" + i);
    fill(name, values);
    ExactlyOnce.run(broker, name, name + ".out", name, 400);
    ExactlyOnce.run(broker, name, name + ".out", name, 400); // goes on where the first one ended
    List<ConsumerRecord<String, String>> out = read(name + ".out", 1000, new StringDeserializer());
    for (int i = 0; i < out.size(); i++) assertEquals("VALUE-" + i, out.get(i).value());
    assertEquals(1000, out.size());
  }

  @Test
  void workQueue() throws InterruptedException {
    topics(name);
    try (KqAdmin admin = new KqAdmin(Map.of("bootstrap.servers", broker))) {
      admin.request("alter_configs").set("resource_type", "group").set("resource", name + "-workers").set("config", "share.auto.offset.reset")
          .set("value", "earliest").run().get(0).check();
    }
    List<String> jobs = new ArrayList<>(List.of("impossible"));
    for (int i = 0; i < 20; i++) jobs.add("job-" + i);
    Map<String, List<Integer>> attempts = new ConcurrentHashMap<>();
    AtomicInteger left = new AtomicInteger(jobs.size());
    List<Thread> workers = new ArrayList<>();
    for (int i = 0; i < 3; i++) { // of one partition
      workers.add(new Thread(() -> WorkQueue.run(broker, name, left, job -> {
        int attempt = job.deliveryCount().orElseThrow();
        attempts.computeIfAbsent(job.value(), value -> new CopyOnWriteArrayList<>()).add(attempt);
        if (job.value().equals("impossible")) throw new WorkQueue.Impossible();
        if (attempt == 1) throw new IllegalStateException("not today");
      })));
      workers.get(i).start();
    }
    fill(name, jobs);
    for (Thread worker : workers) worker.join();
    assertEquals(Set.copyOf(jobs), attempts.keySet());
    attempts.forEach((job, counts) -> assertEquals(job.equals("impossible") ? List.of(1) : List.of(1, 2), counts, job));
  }
}
