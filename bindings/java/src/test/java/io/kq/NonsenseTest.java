package io.kq;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;

/** Every method of every handle, open and closed, given null and nonsense: an exception of Java's or Kafka's or kq's, and no crash. */
class NonsenseTest {
  private static final Set<String> NOT_HERE = Set.of("close", "equals", "wait", "notify", "notifyAll", "getClass", "hashCode", "toString");
  private static final TopicPartition NOWHERE = new TopicPartition("no such\uD83C\uDF75 thing", -7);
  private static final Map<Class<?>, Object> NONSENSE = Map.of(
      String.class, "no such\0 \uD83C thing", int.class, -77, long.class, Long.MIN_VALUE, short.class, (short) -77, boolean.class, true,
      Duration.class, Duration.ofMillis(20), Collection.class, Arrays.asList(null, null), Set.class, Collections.singleton(NOWHERE),
      TopicPartition.class, NOWHERE, ProducerRecord.class, new ProducerRecord<>("no such\0 thing", 77, "k", "v"));

  private static Object argument(Class<?> type, boolean nonsense) {
    if (nonsense && NONSENSE.containsKey(type)) return NONSENSE.get(type);
    if (nonsense && type == Map.class) return Collections.singletonMap(NOWHERE, null);
    if (type == int.class) return 0;
    if (type == long.class) return 0L;
    if (type == short.class) return (short) 0;
    if (type == boolean.class) return false;
    return null;
  }

  private static void all(Object handle, boolean closed) {
    for (Method method : handle.getClass().getMethods()) {
      if (NOT_HERE.contains(method.getName()) || Modifier.isStatic(method.getModifiers())) continue;
      for (boolean nonsense : new boolean[] {false, true}) {
        String words = method + (closed ? ", closed" : ", open") + (nonsense ? ", nonsense" : ", null");
        Object[] arguments = Arrays.stream(method.getParameterTypes()).map(type -> argument(type, nonsense)).toArray();
        try {
          method.invoke(handle, arguments);
        } catch (InvocationTargetException e) {
          Throwable why = e.getCause();
          boolean fit = why instanceof KafkaException || why instanceof KqException || why instanceof IllegalArgumentException
              || why instanceof IllegalStateException || why instanceof NullPointerException || why instanceof UnsupportedOperationException
              || why instanceof IndexOutOfBoundsException;
          if (!fit) fail(words, why);
          assertTrue(why instanceof NullPointerException || why instanceof WakeupException || why.getMessage() != null, words);
        } catch (IllegalAccessException e) {
          fail(words, e);
        }
      }
    }
  }

  private static void openAndClosed(AutoCloseable handle) throws Exception {
    all(handle, false);
    handle.close();
    all(handle, true);
    handle.close();
  }

  @Test
  void ofProducers() throws Exception {
    openAndClosed(Cluster.producer("max.block.ms", 100));
    openAndClosed(new KqProducer<>(Cluster.settings("max.block.ms", 100, "transactional.id", Cluster.name("nonsense")), new StringSerializer(), new StringSerializer()));
  }

  @Test
  void ofConsumers() throws Exception {
    String topic = Cluster.topic(1);
    openAndClosed(Cluster.consumer("default.api.timeout.ms", 500, "request.timeout.ms", 400));
    KqConsumer<String, String> inGroup = Cluster.consumer("default.api.timeout.ms", 500, "request.timeout.ms", 400, "group.id", Cluster.name("nonsense"));
    inGroup.subscribe(List.of(topic));
    openAndClosed(inGroup);
  }

  @Test
  void ofShareConsumers() throws Exception {
    KqShareConsumer<String, String> member = new KqShareConsumer<>(Cluster.settings("group.id", Cluster.name("nonsense"), "default.api.timeout.ms", 500,
        "request.timeout.ms", 400, "share.acknowledgement.mode", "explicit"), new StringDeserializer(), new StringDeserializer());
    member.subscribe(List.of(Cluster.topic(1)));
    openAndClosed(member);
  }

  @Test
  void ofTheOthers() throws Exception {
    openAndClosed(new KqAdmin(Cluster.settings("default.api.timeout.ms", 500, "request.timeout.ms", 400)));
    openAndClosed(KqBroker.start());
    String topic = Cluster.topic(1);
    try (KqProducer<String, String> producer = Cluster.producer(); KqConsumer<String, String> consumer = Cluster.consumer()) {
      producer.send(new ProducerRecord<>(topic, "x")).get();
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      KqBatch[] batch = new KqBatch[1];
      Cluster.until(() -> !(batch[0] = consumer.pollBatch(Duration.ofMillis(100))).isEmpty());
      openAndClosed(batch[0]);
    }
  }
}
