import io.kq.KqShareConsumer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Works off a topic as a queue, with more workers than there are partitions: WorkQueue BROKER TOPIC WORKERS.  A job that fails goes back to
 * the queue and comes again, to whoever is free; one that nobody can do is put aside at once.
 */
public final class WorkQueue {
  private WorkQueue() {}

  /** What a worker throws at a job that nobody can do. */
  static final class Impossible extends Exception {
    private static final long serialVersionUID = 1;
  }

  interface Work {
    void on(ConsumerRecord<String, String> job) throws Exception;
  }

  public static void main(String[] arguments) {
    AtomicInteger left = new AtomicInteger(Integer.MAX_VALUE);
    for (int i = 0; i < Integer.parseInt(arguments[2]); i++) {
      new Thread(() -> run(arguments[0], arguments[1], left, job -> System.out.println(job.value()))).start();
    }
  }

  /** Ends when so many jobs were done with, well or not, by all of those that share the number. */
  static void run(String broker, String topic, AtomicInteger left, Work work) {
    Map<String, Object> settings = Map.of("bootstrap.servers", broker, "group.id", topic + "-workers", "share.acknowledgement.mode", "explicit",
        "max.poll.records", 1); // a job takes long: no others wait behind it
    try (KqShareConsumer<String, String> worker = new KqShareConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
      worker.subscribe(List.of(topic));
      while (left.get() > 0) {
        for (ConsumerRecord<String, String> job : worker.poll(Duration.ofMillis(200))) {
          AcknowledgeType how = attempt(work, job);
          worker.acknowledge(job, how);
          if (how != AcknowledgeType.RELEASE) left.decrementAndGet();
        }
      }
    }
  }

  private static AcknowledgeType attempt(Work work, ConsumerRecord<String, String> job) {
    try {
      work.on(job);
      return AcknowledgeType.ACCEPT;
    } catch (Impossible e) {
      return AcknowledgeType.REJECT;
    } catch (Exception e) {
      return AcknowledgeType.RELEASE;
    }
  }
}
