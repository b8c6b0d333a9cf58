package io.kq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.errors.InvalidGroupIdException;
import org.apache.kafka.common.errors.RecordDeserializationException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Share consumers: kq's, and beside it Kafka's own, of which the same is expected. */
class ShareTest {
  enum Client { KQ, KAFKA }

  private final String topic = Cluster.topic(1);
  private final String group = group();

  /** A group that begins at the start. */
  private static String group() {
    String group = Cluster.name("share");
    try (KqAdmin admin = new KqAdmin(Map.of("bootstrap.servers", Cluster.bootstrap()))) {
      admin.request("alter_configs").set("resource_type", "group").set("resource", group).set("config", "share.auto.offset.reset")
          .set("value", "earliest").run().get(0).check();
      Cluster.until(() -> admin.request("describe_configs").set("resource_type", "group").set("resource", group).run().get(0).rows("configs").stream()
          .anyMatch(row -> row.text("config").equals("share.auto.offset.reset") && row.text("value").equals("earliest")));
    }
    return group;
  }

  private ShareConsumer<String, String> member(Client client, Object... pairs) {
    return member(client, new StringDeserializer(), pairs);
  }

  private ShareConsumer<String, String> member(Client client, Deserializer<String> values, Object... pairs) {
    Map<String, Object> settings = Cluster.settings(pairs);
    settings.put("group.id", group);
    ShareConsumer<String, String> member = client == Client.KQ ? new KqShareConsumer<>(settings, new StringDeserializer(), values)
        : new KafkaShareConsumer<>(settings, new StringDeserializer(), values);
    member.subscribe(List.of(topic));
    return member;
  }

  private void send(int from, int to) {
    try (KqProducer<String, String> producer = Cluster.producer()) {
      for (int i = from; i < to; i++) producer.send(new ProducerRecord<>(topic, 0, null, "" + i));
    }
  }

  private static List<ConsumerRecord<String, String>> some(ShareConsumer<String, String> member) {
    List<ConsumerRecord<String, String>> records = new ArrayList<>();
    Cluster.until(() -> {
      member.poll(Duration.ofMillis(200)).forEach(records::add);
      return !records.isEmpty();
    });
    return records;
  }

  @ParameterizedTest
  @EnumSource
  void whatAPollGaveIsAcceptedByTheNextOne(Client client) {
    send(0, 5);
    try (ShareConsumer<String, String> member = member(client)) {
      assertEquals(Set.of(topic), member.subscription());
      List<ConsumerRecord<String, String>> records = some(member);
      assertEquals(5, records.size());
      assertEquals(Optional.of((short) 1), records.get(0).deliveryCount());
      assertEquals(Optional.of(30_000), member.acquisitionLockTimeoutMs());
      assertThrows(IllegalStateException.class, () -> member.acknowledge(records.get(0)));
      assertEquals(Map.of(), failures(member.commitSync()));
      assertTrue(member.poll(Duration.ofMillis(300)).isEmpty());
      send(5, 6);
      assertEquals("5", some(member).get(0).value());
    }
    try (ShareConsumer<String, String> member = member(client)) { // closing has released the last one
      ConsumerRecord<String, String> again = some(member).get(0);
      assertEquals("5", again.value());
      assertEquals(Optional.of((short) 2), again.deliveryCount());
      member.unsubscribe();
      assertEquals(Set.of(), member.subscription());
    }
  }

  private static Map<TopicIdPartition, KafkaException> failures(Map<TopicIdPartition, Optional<KafkaException>> outcome) {
    assertFalse(outcome.isEmpty());
    Map<TopicIdPartition, KafkaException> failures = new java.util.HashMap<>();
    outcome.forEach((partition, failure) -> {
      assertFalse(partition.topicId().equals(Uuid.ZERO_UUID));
      failure.ifPresent(why -> failures.put(partition, why));
    });
    return failures;
  }

  @ParameterizedTest
  @EnumSource
  void recordsAreAcknowledgedOneByOne(Client client) {
    send(0, 4);
    try (ShareConsumer<String, String> member = member(client, "share.acknowledgement.mode", "explicit")) {
      List<ConsumerRecord<String, String>> records = some(member);
      assertEquals(4, records.size());
      member.acknowledge(records.get(0));
      member.acknowledge(records.get(1), AcknowledgeType.REJECT);
      assertThrows(IllegalStateException.class, () -> member.poll(Duration.ofMillis(100))); // two are open
      member.acknowledge(records.get(2), AcknowledgeType.ACCEPT);
      member.acknowledge(records.get(2), AcknowledgeType.RELEASE); // said before it was sent
      member.acknowledge(records.get(3));
      assertEquals(Map.of(), failures(member.commitSync()));
      assertThrows(IllegalStateException.class, () -> member.acknowledge(records.get(3)));
      ConsumerRecord<String, String> again = some(member).get(0);
      assertEquals("2", again.value());
      assertEquals(Optional.of((short) 2), again.deliveryCount());
      member.acknowledge(again);
      member.commitAsync();
      assertTrue(member.poll(Duration.ofMillis(300)).isEmpty());
    }
  }

  @ParameterizedTest
  @EnumSource
  void oneThatIsRenewedIsGivenAgainToBeAcknowledged(Client client) {
    send(0, 3);
    try (ShareConsumer<String, String> member = member(client, "share.acknowledgement.mode", "explicit")) {
      List<ConsumerRecord<String, String>> records = some(member);
      assertEquals(3, records.size());
      member.acknowledge(records.get(0));
      member.acknowledge(records.get(1), AcknowledgeType.RENEW);
      member.acknowledge(records.get(2));
      List<ConsumerRecord<String, String>> renewed = some(member);
      assertEquals(1, renewed.size());
      assertEquals("1", renewed.get(0).value());
      assertThrows(IllegalStateException.class, () -> member.poll(Duration.ofMillis(100)));
      member.acknowledge(renewed.get(0));
      assertEquals(Map.of(), failures(member.commitSync()));
      assertTrue(member.poll(Duration.ofMillis(300)).isEmpty());
    }
  }

  @ParameterizedTest
  @EnumSource
  void theCallbackHearsOfEachRecord(Client client) {
    send(0, 3);
    Set<Long> heard = new TreeSet<>();
    AtomicReference<ShareConsumer<String, String>> inside = new AtomicReference<>();
    List<Exception> failures = new ArrayList<>();
    try (ShareConsumer<String, String> member = member(client)) {
      inside.set(member);
      member.setAcknowledgementCommitCallback((offsets, failure) -> {
        offsets.forEach((partition, all) -> {
          assertEquals(topic, partition.topic());
          heard.addAll(all);
        });
        if (failure != null) failures.add(failure);
        assertThrows(IllegalStateException.class, () -> inside.get().subscription());
      });
      some(member);
      Cluster.until(() -> {
        member.poll(Duration.ofMillis(100));
        return heard.size() == 3;
      });
      send(3, 4);
      some(member);
      member.commitAsync();
    }
    assertEquals(Set.of(0L, 1L, 2L, 3L), heard);
    assertEquals(List.of(), failures);
    int[] thrown = {0};
    send(4, 5);
    try (ShareConsumer<String, String> member = member(client)) {
      member.setAcknowledgementCommitCallback((offsets, failure) -> {
        thrown[0]++;
        throw new IllegalStateException("on purpose; it is logged");
      });
      some(member);
      Cluster.until(() -> {
        member.poll(Duration.ofMillis(100));
        return thrown[0] > 0;
      });
    }
  }

  @ParameterizedTest
  @EnumSource
  void oneThatCannotBeDeserializedIsAnExceptionAndTheOthersGoOn(Client client) {
    send(0, 4);
    Deserializer<String> picky = (of, bytes) -> {
      String value = new String(bytes);
      if (value.equals("1")) throw new IllegalArgumentException("on purpose");
      return value;
    };
    List<String> seen = new ArrayList<>();
    try (ShareConsumer<String, String> member = member(client, picky, "share.acknowledgement.mode", "explicit")) {
      RecordDeserializationException[] failure = new RecordDeserializationException[1];
      Cluster.until(() -> {
        try {
          for (ConsumerRecord<String, String> record : member.poll(Duration.ofMillis(200))) {
            seen.add(record.value());
            member.acknowledge(record);
          }
        } catch (RecordDeserializationException e) {
          failure[0] = e;
          member.acknowledge(topic, 0, e.offset(), AcknowledgeType.REJECT);
        }
        return seen.size() == 3 && failure[0] != null;
      });
      assertEquals(1, failure[0].offset());
      assertEquals(Map.of(), failures(member.commitSync()));
      assertTrue(member.poll(Duration.ofMillis(300)).isEmpty());
    }
    assertEquals(List.of("0", "2", "3"), seen);
  }

  @Test
  void membersDivideThePartitionsRecords() {
    int count = 300;
    List<String> seen = new ArrayList<>();
    try (ShareConsumer<String, String> one = member(Client.KQ, "max.poll.records", 10); ShareConsumer<String, String> two = member(Client.KQ, "max.poll.records", 10)) {
      send(0, count);
      Cluster.until(() -> {
        one.poll(Duration.ofMillis(20)).forEach(record -> seen.add(record.value()));
        two.poll(Duration.ofMillis(20)).forEach(record -> seen.add(record.value()));
        return seen.size() >= count;
      });
      one.commitSync();
      two.commitSync();
    }
    assertEquals(count, seen.size());
    assertEquals(count, Set.copyOf(seen).size());
  }

  @ParameterizedTest
  @EnumSource
  void wakeupEndsAPoll(Client client) throws InterruptedException {
    send(0, 1);
    try (ShareConsumer<String, String> member = member(client)) {
      some(member);                                           // Kafka's fails to close when it has not joined yet
      Thread other = new Thread(member::wakeup);
      other.start();
      assertThrows(WakeupException.class, () -> Cluster.until(() -> !member.poll(Duration.ofSeconds(20)).isEmpty()));
      other.join();
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatMakesNoSenseIsRefused(Client client) {
    for (String key : List.of("auto.offset.reset", "enable.auto.commit", "isolation.level", "group.instance.id", "group.protocol")) {
      ConfigException failure = assertThrows(ConfigException.class, () -> member(client, key, "none"), key);
      assertTrue(client == Client.KAFKA || failure.getMessage().contains(key), failure.getMessage());
    }
    assertThrows(ConfigException.class, () -> member(client, "share.acknowledgement.mode", "perhaps"));
    ShareConsumer<String, String> member = member(client, "share.acknowledgement.mode", "explicit");
    assertThrows(IllegalArgumentException.class, () -> member.subscribe(null));
    assertThrows(IllegalArgumentException.class, () -> member.subscribe(List.of(" ")));
    assertThrows(IllegalStateException.class, () -> member.acknowledge(new ConsumerRecord<>(topic, 0, 5, "k", "v")));
    assertThrows(IllegalStateException.class, () -> member.acknowledge(topic, 0, 5, AcknowledgeType.ACCEPT));
    assertThrows(RuntimeException.class, () -> member.acknowledge(null));
    assertThrows(IllegalArgumentException.class, () -> member.close(Duration.ofMillis(-1)));
    assertEquals(Map.of(), member.commitSync());
    member.unsubscribe();
    assertThrows(IllegalStateException.class, () -> member.poll(Duration.ZERO));
    member.close();
    member.close();
    assertThrows(IllegalStateException.class, () -> member.poll(Duration.ZERO));
    assertThrows(IllegalStateException.class, member::commitSync);
    assertThrows(IllegalStateException.class, () -> member.subscribe(List.of(topic)));
    assertThrows(IllegalStateException.class, member::subscription);
  }

  @Test
  void whatIsKqsOwnToRefuse() throws InterruptedException {
    assertThrows(InvalidGroupIdException.class, () -> new KqShareConsumer<>(Cluster.settings(), new StringDeserializer(), new StringDeserializer()));
    assertThrows(IllegalArgumentException.class, () -> new KqShareConsumer<String, String>((Properties) null));
    ConfigException failure = assertThrows(ConfigException.class, () -> member(Client.KQ, "share.acknowledgment.mode", "explicit"));
    assertTrue(failure.getMessage().contains("share.acknowledgement.mode"), failure.getMessage());
    ShareConsumer<String, String> member = member(Client.KQ);
    assertThrows(IllegalArgumentException.class, () -> member.poll(Duration.ofMillis(-1)));
    assertThrows(UnsupportedOperationException.class, () -> member.clientInstanceId(Duration.ZERO));
    try (KqShareConsumer<String, String> idle = new KqShareConsumer<>(Cluster.settings("group.id", group), new StringDeserializer(), new StringDeserializer())) {
      assertEquals(Optional.empty(), idle.acquisitionLockTimeoutMs());
    }
    assertEquals(Map.of(), member.metrics());
    AtomicReference<Throwable> told = new AtomicReference<>();
    Thread other = new Thread(() -> {
      try {
        for (long end = System.nanoTime() + 20_000_000_000L; System.nanoTime() < end; ) member.subscription();
      } catch (Throwable e) {
        told.set(e);
      }
      member.wakeup();
    });
    other.start();
    assertThrows(WakeupException.class, () -> Cluster.until(() -> {
      try {
        return !member.poll(Duration.ofSeconds(1)).isEmpty();
      } catch (java.util.ConcurrentModificationException e) {
        return false;                                             // the other was first: it is to meet a poll, not the poll it
      }
    }));
    other.join();
    assertTrue(told.get() instanceof java.util.ConcurrentModificationException, () -> "" + told.get());
    member.close();
  }
}
