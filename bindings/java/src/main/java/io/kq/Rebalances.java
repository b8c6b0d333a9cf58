package io.kq;

import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.WakeupException;

/** Which partitions a consumer has, and its listener, who learns of each change before any record. */
final class Rebalances {
  private final Set<TopicPartition> assigned = new LinkedHashSet<>();
  private final Set<TopicPartition> paused = new HashSet<>();
  private ConsumerRebalanceListener listener;

  void listener(ConsumerRebalanceListener wanted) {
    listener = wanted;
  }

  Set<TopicPartition> assigned() {
    return assigned;
  }

  Set<TopicPartition> paused() {
    return paused;
  }

  /** Assigned by hand: nobody is told. */
  void replace(Collection<TopicPartition> partitions) {
    assigned.clear();
    assigned.addAll(partitions);
    paused.retainAll(assigned);
  }

  /** All that is assigned goes, while commits are still possible. */
  void revokeAll() {
    gone(KqConsumer.REVOKED, new LinkedHashSet<>(assigned));
  }

  /** What a batch of ASSIGNED, REVOKED or LOST says. */
  void changed(int kind, long batch) {
    Set<TopicPartition> partitions = new LinkedHashSet<>();
    Unpacking.forEachRow(batch, (row, partition, offset, tag) -> partitions.add(partition));
    if (kind != KqConsumer.ASSIGNED) {
      partitions.retainAll(assigned); // the others went when the program unsubscribed
      gone(kind, partitions);
      return;
    }
    assigned.addAll(partitions);
    if (listener != null) tell(() -> listener.onPartitionsAssigned(Collections.unmodifiableSet(partitions)));
  }

  private void gone(int kind, Set<TopicPartition> partitions) {
    try {
      if (listener == null || partitions.isEmpty()) return;
      if (kind == KqConsumer.LOST) {
        tell(() -> listener.onPartitionsLost(Collections.unmodifiableSet(partitions)));
      } else {
        tell(() -> listener.onPartitionsRevoked(Collections.unmodifiableSet(partitions)));
      }
    } finally {
      assigned.removeAll(partitions);
      paused.removeAll(partitions);
    }
  }

  private static void tell(Runnable call) {
    try {
      call.run();
    } catch (WakeupException | InterruptException e) {
      throw e;
    } catch (RuntimeException e) {
      throw new KafkaException("User rebalance callback throws an error", e);
    }
  }
}
