package io.kq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.WakeupException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GroupTest {
  private static void fill(String topic, int partitions, int count) {
    try (KqProducer<String, String> producer = Cluster.producer()) {
      for (int i = 0; i < count; i++) producer.send(new ProducerRecord<>(topic, i % partitions, null, "" + i));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"classic", "consumer"})
  void whatWasCommittedIsNotReadAgain(String protocol) {
    String topic = Cluster.topic(2);
    String group = Cluster.name("group");
    fill(topic, 2, 100);
    Object[] settings = {"group.id", group, "enable.auto.commit", false, "group.protocol", protocol, "max.poll.records", 10};
    Set<TopicPartition> both = Set.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1));
    Set<String> first = new HashSet<>();
    try (KqConsumer<String, String> consumer = Cluster.consumer(settings)) {
      consumer.subscribe(List.of(topic));
      for (ConsumerRecord<String, String> record : Cluster.take(consumer, 40)) first.add(record.value());
      assertEquals(both, consumer.assignment());
      consumer.commitSync();
      Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(both);
      assertEquals(first.size(), committed.values().stream().filter(each -> each != null).mapToLong(OffsetAndMetadata::offset).sum());
      Cluster.take(consumer, 20); // not committed
    }
    try (KqConsumer<String, String> consumer = Cluster.consumer(settings)) {
      consumer.subscribe(List.of(topic));
      List<ConsumerRecord<String, String>> rest = Cluster.take(consumer, 100 - first.size());
      assertEquals(100 - first.size(), rest.size());
      for (ConsumerRecord<String, String> record : rest) assertTrue(first.add(record.value()), record.value());
    }
  }

  @Test
  void autoCommitCommitsOnCloseWhatPollsHaveReturned() {
    String topic = Cluster.topic(1);
    String group = Cluster.name("group");
    fill(topic, 1, 50);
    int taken;
    try (KqConsumer<String, String> consumer = Cluster.consumer("group.id", group, "max.poll.records", 10)) {
      consumer.subscribe(List.of(topic));
      taken = Cluster.take(consumer, 20).size();
    }
    try (KqConsumer<String, String> consumer = Cluster.consumer("group.id", group)) {
      consumer.subscribe(List.of(topic));
      assertEquals(taken, Cluster.take(consumer, 50 - taken).get(0).offset());
    }
  }

  @Test
  void commitsCarryMetadataAndAsyncOnesCallBack() {
    String topic = Cluster.topic(1);
    TopicPartition partition = new TopicPartition(topic, 0);
    fill(topic, 1, 10);
    try (KqConsumer<String, String> consumer = Cluster.consumer("group.id", Cluster.name("group"), "enable.auto.commit", "false")) {
      consumer.assign(List.of(partition));
      assertNull(consumer.committed(Set.of(partition)).get(partition));
      consumer.commitSync(Map.of(partition, new OffsetAndMetadata(3, java.util.Optional.of(0), "halfway: ½")));
      OffsetAndMetadata committed = consumer.committed(Set.of(partition)).get(partition);
      assertEquals(3, committed.offset());
      assertEquals("halfway: ½", committed.metadata());
      List<Long> called = new ArrayList<>();
      consumer.commitAsync(Map.of(partition, new OffsetAndMetadata(5)), (offsets, failure) -> {
        assertNull(failure);
        called.add(offsets.get(partition).offset());
      });
      Cluster.until(() -> {
        consumer.poll(Duration.ofMillis(50));
        return !called.isEmpty();
      });
      consumer.commitAsync(Map.of(partition, new OffsetAndMetadata(7)), (offsets, failure) -> called.add(offsets.get(partition).offset()));
      consumer.close();
      assertEquals(List.of(5L, 7L), called);
    }
  }

  private static final class Listener implements ConsumerRebalanceListener {
    final List<String> story = new ArrayList<>();

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      if (!partitions.isEmpty()) story.add("+" + partitions.size());
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      if (!partitions.isEmpty()) story.add("-" + partitions.size());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"org.apache.kafka.clients.consumer.CooperativeStickyAssignor", "range"})
  void membersShareThePartitions(String assignor) {
    String topic = Cluster.topic(4);
    Object[] settings = {"group.id", Cluster.name("group"), "partition.assignment.strategy", List.of(assignor), "heartbeat.interval.ms", 100};
    Listener listener = new Listener();
    try (KqConsumer<String, String> one = Cluster.consumer(settings)) {
      one.subscribe(List.of(topic), listener);
      Cluster.until(() -> one.poll(Duration.ofMillis(50)).isEmpty() && one.assignment().size() == 4);
      try (KqConsumer<String, String> two = Cluster.consumer(settings)) {
        two.subscribe(List.of(topic));
        Cluster.until(() -> {
          one.poll(Duration.ofMillis(20));
          two.poll(Duration.ofMillis(20));
          return one.assignment().size() == 2 && two.assignment().size() == 2;
        });
        Set<TopicPartition> all = new HashSet<>(one.assignment());
        all.addAll(two.assignment());
        assertEquals(4, all.size());
      }
      Cluster.until(() -> one.poll(Duration.ofMillis(50)).isEmpty() && one.assignment().size() == 4);
    }
    assertEquals(assignor.equals("range") ? List.of("+4", "-4", "+2", "-2", "+4", "-4") : List.of("+4", "-2", "+2", "-4"), listener.story);
  }

  @Test
  void aPatternFindsItsTopics() {
    String prefix = Cluster.name("pattern");
    try (KqAdmin admin = new KqAdmin(Map.of("bootstrap.servers", Cluster.bootstrap()))) {
      admin.createTopic(prefix + ".a", 1, 1);
      admin.createTopic(prefix + ".b", 1, 1);
    }
    try (KqConsumer<String, String> consumer = Cluster.consumer("group.id", Cluster.name("group"))) {
      consumer.subscribe(Pattern.compile(prefix + "\\..*"));
      Cluster.until(() -> consumer.poll(Duration.ofMillis(50)).isEmpty() && consumer.assignment().size() == 2);
      assertEquals(Set.of(prefix + ".a", prefix + ".b"), consumer.subscription());
      consumer.unsubscribe();
      assertEquals(Set.of(), consumer.assignment());
      assertThrows(IllegalStateException.class, () -> consumer.poll(Duration.ZERO));
    }
  }

  @Test
  void aMemberThatWasLeftOutCannotCommit() {
    String topic = Cluster.topic(1);
    String group = Cluster.name("group");
    TopicPartition partition = new TopicPartition(topic, 0);
    fill(topic, 1, 10);
    Object[] settings = {"group.id", group, "enable.auto.commit", false, "max.poll.interval.ms", 1000, "session.timeout.ms", 6000};
    try (KqConsumer<String, String> late = Cluster.consumer(settings); KqConsumer<String, String> other = Cluster.consumer(settings)) {
      late.subscribe(List.of(topic));
      Cluster.take(late, 10);
      other.subscribe(List.of(topic));
      Cluster.until(() -> other.poll(Duration.ofMillis(50)).isEmpty() ? other.assignment().size() == 1 : true);
      RuntimeException failure = assertThrows(RuntimeException.class, () -> late.commitSync(Map.of(partition, new OffsetAndMetadata(10))));
      assertTrue(failure instanceof CommitFailedException || failure instanceof RebalanceInProgressException, failure.toString());
    }
  }

  @Test
  void wakeupEndsAPollOfAnotherThread() throws Exception {
    String topic = Cluster.topic(1);
    try (KqConsumer<String, String> consumer = Cluster.consumer()) {
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      Thread waker = new Thread(consumer::wakeup);
      waker.start();
      assertThrows(WakeupException.class, () -> consumer.poll(Duration.ofSeconds(60)));
      waker.join();
      consumer.wakeup();
      assertThrows(WakeupException.class, () -> consumer.poll(Duration.ZERO));
      assertTrue(consumer.poll(Duration.ZERO).isEmpty());
    }
  }

  @Test
  void seekPausePositionAndTimes() {
    String topic = Cluster.topic(2);
    TopicPartition zero = new TopicPartition(topic, 0);
    TopicPartition one = new TopicPartition(topic, 1);
    long start = System.currentTimeMillis() - 20_000;             // older ones might not be retained
    try (KqProducer<String, String> producer = Cluster.producer(); KqConsumer<String, String> consumer = Cluster.consumer()) {
      for (int i = 0; i < 10; i++) producer.send(new ProducerRecord<>(topic, 0, start + 1000L * (i + 1), null, "" + i));
      producer.send(new ProducerRecord<>(topic, 1, start + 5000L, null, "other"));
      producer.flush();
      consumer.assign(List.of(zero, one));
      consumer.seek(zero, 7);
      consumer.pause(List.of(one));
      assertEquals(Set.of(one), consumer.paused());
      assertEquals("7", Cluster.take(consumer, 3).get(0).value());
      assertEquals(10, consumer.position(zero));
      assertTrue(consumer.poll(Duration.ofMillis(200)).isEmpty());
      consumer.resume(List.of(one));
      assertEquals("other", Cluster.take(consumer, 1).get(0).value());
      consumer.seekToBeginning(List.of(zero));
      assertEquals("0", Cluster.take(consumer, 10).get(0).value());
      consumer.seekToEnd(List.of(zero));
      assertEquals(10, consumer.position(zero));
      assertEquals(Map.of(zero, 0L, one, 0L), consumer.beginningOffsets(List.of(zero, one)));
      assertEquals(Map.of(zero, 10L, one, 1L), consumer.endOffsets(List.of(zero, one)));
      assertEquals(3, consumer.offsetsForTimes(Map.of(zero, start + 3500)).get(zero).offset());
      assertEquals(start + 4000, consumer.offsetsForTimes(Map.of(zero, start + 3500)).get(zero).timestamp());
      assertNull(consumer.offsetsForTimes(Map.of(zero, start + 99_000)).get(zero));
      assertEquals(0, consumer.currentLag(zero).orElse(0));
    }
  }
}
