import io.kq.KqConsumer;
import io.kq.KqProducer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Works on the records of a topic.  One that fails is tried again by way of TOPIC.retry, three times in all, and is then put aside in
 * TOPIC.dead, with the reason in a header: RetryAndDeadLetter BROKER TOPIC.
 */
public final class RetryAndDeadLetter {
  private static final int TRIES_MAX = 3;

  private RetryAndDeadLetter() {}

  public static void main(String[] arguments) {
    run(arguments[0], arguments[1], Integer.MAX_VALUE, record -> System.out.println(Integer.parseInt(record)));
  }

  /** Ends when so many records were done with, well or not. */
  static void run(String broker, String topic, int count, Consumer<String> work) {
    Map<String, Object> settings = Map.of("bootstrap.servers", broker, "group.id", topic + "-worker", "auto.offset.reset", "earliest",
        "enable.auto.commit", false);
    try (KqConsumer<String, String> consumer = new KqConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
        KqProducer<String, String> producer = new KqProducer<>(Map.of("bootstrap.servers", broker), new StringSerializer(), new StringSerializer())) {
      consumer.subscribe(List.of(topic, topic + ".retry"));
      for (int done = 0; done < count; ) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
          try {
            work.accept(record.value());
            done++;
          } catch (RuntimeException e) {
            int tries = tries(record) + 1;
            boolean again = tries < TRIES_MAX;
            ProducerRecord<String, String> next = new ProducerRecord<>(topic + (again ? ".retry" : ".dead"), record.key(), record.value());
            next.headers().add("tries", Integer.toString(tries).getBytes(StandardCharsets.UTF_8));
            next.headers().add("reason", e.toString().getBytes(StandardCharsets.UTF_8));
            producer.send(next);
            if (!again) done++;
          }
        }
        producer.flush();      // whatever goes on elsewhere is there ...
        consumer.commitSync(); // ... before it is done with here
      }
    }
  }

  private static int tries(ConsumerRecord<String, String> record) {
    Header tries = record.headers().lastHeader("tries");
    return tries == null ? 0 : Integer.parseInt(new String(tries.value(), StandardCharsets.UTF_8));
  }
}
