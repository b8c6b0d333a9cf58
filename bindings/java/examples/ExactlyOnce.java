import io.kq.KqConsumer;
import io.kq.KqProducer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.OutOfOrderSequenceException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Turns the records of one topic into those of another, each exactly once, whenever this program is killed and started again: the
 * results and the offsets are one transaction.  ExactlyOnce BROKER IN OUT ID [RECORDS].
 */
public final class ExactlyOnce {
  private ExactlyOnce() {}

  public static void main(String[] arguments) {
    run(arguments[0], arguments[1], arguments[2], arguments[3], arguments.length > 4 ? Integer.parseInt(arguments[4]) : Integer.MAX_VALUE);
  }

  /** Ends after so many records. */
  static void run(String broker, String in, String out, String id, int count) {
    Map<String, Object> reading = Map.of("bootstrap.servers", broker, "group.id", id, "auto.offset.reset", "earliest",
        "enable.auto.commit", false, "isolation.level", "read_committed");
    Map<String, Object> writing = Map.of("bootstrap.servers", broker, "transactional.id", id);
    try (KqProducer<String, String> producer = new KqProducer<>(writing, new StringSerializer(), new StringSerializer());
        KqConsumer<String, String> consumer = new KqConsumer<>(reading, new StringDeserializer(), new StringDeserializer())) {
      producer.initTransactions(); // before the consumer looks for its offsets: it ends what an earlier run has left open
      consumer.subscribe(List.of(in));
      for (int done = 0; done < count; ) {
        ConsumerRecords<String, String> records = consumer.poll(Duration.ofSeconds(1));
        if (records.isEmpty()) continue;
        producer.beginTransaction();
        try {
          for (ConsumerRecord<String, String> record : records) {
            producer.send(new ProducerRecord<>(out, record.key(), record.value().toUpperCase()));
          }
          producer.sendOffsetsToTransaction(records.nextOffsets(), consumer.groupMetadata());
          producer.commitTransaction();
          done += records.count();
        } catch (ProducerFencedException | InvalidProducerEpochException | OutOfOrderSequenceException e) {
          throw e; // another one has taken over
        } catch (KafkaException e) {
          producer.abortTransaction();
          // Back to where the transaction began.
          consumer.committed(consumer.assignment()).forEach((partition, offset) -> {
            if (offset == null) consumer.seekToBeginning(List.of(partition));
            else consumer.seek(partition, offset);
          });
        }
      }
    }
  }
}
