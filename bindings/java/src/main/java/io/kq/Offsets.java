package io.kq;

import io.kq.internal.Flat;
import io.kq.internal.Rows;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** Kafka's partitions and offsets, as libkq takes and gives them. */
final class Offsets {
  static final long DEFAULT = -1000; // kq_offset
  private static final int NO_EPOCH = -1;

  private Offsets() {}

  static byte[] flat(Map<TopicPartition, OffsetAndMetadata> offsets) {
    Flat.Partitions flat = new Flat.Partitions();
    offsets.forEach((partition, offset) -> {
      if (partition == null || offset == null) throw new IllegalArgumentException("a partition or its offset is null: " + partition);
      flat.add(partition.topic(), partition.partition(), offset.offset(), offset.leaderEpoch().orElse(NO_EPOCH), offset.metadata());
    });
    return flat.bytes();
  }

  static byte[] flat(Collection<TopicPartition> partitions, long offset) {
    Flat.Partitions flat = new Flat.Partitions();
    for (TopicPartition partition : partitions) {
      if (partition == null) throw new IllegalArgumentException("a partition is null");
      flat.add(partition.topic(), partition.partition(), offset, NO_EPOCH, null);
    }
    return flat.bytes();
  }

  /** The rows of kq_consumer_committed.  A partition without a committed offset has null, as in KafkaConsumer. */
  static Map<TopicPartition, OffsetAndMetadata> committed(Rows rows) {
    Map<TopicPartition, OffsetAndMetadata> committed = new HashMap<>();
    for (int row = 0; row < rows.count(); row++) {
      KqException failure = rows.error(row);
      if (failure != null) throw KafkaErrors.of(failure);
      long offset = rows.number(row, "offset");
      String note = rows.text(row, "metadata");
      committed.put(partition(rows, row), offset < 0 ? null
          : new OffsetAndMetadata(offset, epoch(rows.number(row, "leader_epoch")), note == null ? "" : note));
    }
    return committed;
  }

  static TopicPartition partition(Rows rows, int row) {
    return new TopicPartition(rows.text(row, "topic"), (int) rows.number(row, "partition"));
  }

  static Optional<Integer> epoch(long epoch) {
    return epoch < 0 ? Optional.empty() : Optional.of((int) epoch);
  }
}
