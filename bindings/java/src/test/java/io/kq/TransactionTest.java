package io.kq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.junit.jupiter.api.Test;

class TransactionTest {
  @Test
  void aTransactionIsReadAsAWholeOrNotAtAll() {
    String topic = Cluster.topic(2);
    try (KqProducer<String, String> producer = Cluster.producer("transactional.id", Cluster.name("id"))) {
      producer.initTransactions();
      for (int round = 0; round < 6; round++) {
        producer.beginTransaction();
        for (int i = 0; i < 10; i++) producer.send(new ProducerRecord<>(topic, i % 2, null, round + ":" + i));
        if (round % 2 == 0) producer.commitTransaction();
        else producer.abortTransaction();
      }
    }
    try (KqConsumer<String, String> consumer = Cluster.consumer("isolation.level", "read_committed")) {
      consumer.assign(List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1)));
      List<ConsumerRecord<String, String>> records = Cluster.take(consumer, 30);
      assertEquals(30, records.size());
      for (ConsumerRecord<String, String> record : records) assertEquals(0, (record.value().charAt(0) - '0') % 2, record.value());
    }
  }

  @Test
  void offsetsAreCommittedWithTheRecords() {
    String topic = Cluster.topic(1);
    String group = Cluster.name("group");
    TopicPartition partition = new TopicPartition(topic, 0);
    try (KqProducer<String, String> producer = Cluster.producer("transactional.id", Cluster.name("id"));
        KqConsumer<String, String> consumer = Cluster.consumer("group.id", group, "enable.auto.commit", false)) {
      producer.initTransactions();
      consumer.subscribe(List.of(topic));
      Cluster.until(() -> consumer.poll(java.time.Duration.ofMillis(50)).isEmpty() && consumer.assignment().size() == 1);
      producer.beginTransaction();
      producer.send(new ProducerRecord<>(topic, "x"));
      producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(41)), consumer.groupMetadata());
      producer.abortTransaction();
      assertEquals(null, consumer.committed(Set.of(partition)).get(partition));
      producer.beginTransaction();
      producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(42)), consumer.groupMetadata());
      producer.commitTransaction();
      assertEquals(42, consumer.committed(Set.of(partition)).get(partition).offset());
    }
  }

  @Test
  void theOffsetsOfAGroupWithoutMembersAreCommittedByItsName() {
    String topic = Cluster.topic(1);
    String group = Cluster.name("group");
    TopicPartition partition = new TopicPartition(topic, 0);
    try (KqProducer<String, String> producer = Cluster.producer("transactional.id", Cluster.name("id"))) {
      producer.initTransactions();
      producer.beginTransaction();
      producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(7)), new ConsumerGroupMetadata(group));
      producer.commitTransaction();
    }
    try (KqConsumer<String, String> consumer = Cluster.consumer("group.id", group)) {
      assertEquals(7, consumer.committed(Set.of(partition)).get(partition).offset());
    }
  }

  @Test
  void anOlderProducerIsFenced() {
    String topic = Cluster.topic(1);
    String id = Cluster.name("id");
    try (KqProducer<String, String> old = Cluster.producer("transactional.id", id); KqProducer<String, String> young = Cluster.producer("transactional.id", id)) {
      old.initTransactions();
      old.beginTransaction();
      old.send(new ProducerRecord<>(topic, "old"));
      old.flush();
      young.initTransactions();
      young.beginTransaction();
      young.send(new ProducerRecord<>(topic, "young"));
      young.commitTransaction();
      Future<RecordMetadata> lost = old.send(new ProducerRecord<>(topic, "lost"));
      Throwable failure = assertThrows(ExecutionException.class, () -> lost.get(30, TimeUnit.SECONDS)).getCause();
      assertInstanceOf(KafkaException.class, failure);
      RuntimeException fenced = assertThrows(KafkaException.class, old::commitTransaction);
      assertEquals(true, fenced instanceof ProducerFencedException || fenced instanceof InvalidProducerEpochException, fenced.toString());
    }
  }

  @Test
  void callsOutOfTurnAreRefused() {
    String topic = Cluster.topic(1);
    ProducerRecord<String, String> record = new ProducerRecord<>(topic, "x");
    try (KqProducer<String, String> plain = Cluster.producer()) {
      assertThrows(IllegalStateException.class, plain::initTransactions);
      assertThrows(IllegalStateException.class, plain::beginTransaction);
    }
    try (KqProducer<String, String> producer = Cluster.producer("transactional.id", Cluster.name("id"))) {
      assertThrows(IllegalStateException.class, producer::beginTransaction);
      assertThrows(IllegalStateException.class, () -> producer.send(record));
      producer.initTransactions();
      assertThrows(IllegalStateException.class, producer::initTransactions);
      assertThrows(IllegalStateException.class, () -> producer.send(record));
      producer.beginTransaction();
      assertThrows(IllegalStateException.class, producer::beginTransaction);
      producer.commitTransaction();
      assertThrows(IllegalStateException.class, producer::commitTransaction);
    }
  }
}
