import io.kq.KqConsumer;
import io.kq.KqProducer;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.LongSerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Counts the words of the lines in one topic, and keeps each word's latest count in another: WordCount BROKER IN OUT [LINES]. */
public final class WordCount {
  private WordCount() {}

  public static void main(String[] arguments) {
    run(arguments[0], arguments[1], arguments[2], arguments.length > 3 ? Integer.parseInt(arguments[3]) : Integer.MAX_VALUE);
  }

  /** Ends after so many lines. */
  static void run(String broker, String in, String out, int lines) {
    Map<String, Object> settings = Map.of("bootstrap.servers", broker, "group.id", "word-count", "auto.offset.reset", "earliest",
        "enable.auto.commit", false);
    Map<String, Long> counts = new HashMap<>();
    try (KqConsumer<String, String> consumer = new KqConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
        KqProducer<String, Long> producer = new KqProducer<>(Map.of("bootstrap.servers", broker), new StringSerializer(), new LongSerializer())) {
      consumer.subscribe(List.of(in));
      for (int read = 0; read < lines; ) {
        ConsumerRecords<String, String> records = consumer.poll(Duration.ofSeconds(1));
        for (ConsumerRecord<String, String> record : records) {
          for (String word : record.value().toLowerCase().split("\\W+")) {
            if (!word.isEmpty()) producer.send(new ProducerRecord<>(out, word, counts.merge(word, 1L, Long::sum)));
          }
        }
        producer.flush();      // every count is out ...
        consumer.commitSync(); // ... before its line is done with
        read += records.count();
      }
    }
  }
}
