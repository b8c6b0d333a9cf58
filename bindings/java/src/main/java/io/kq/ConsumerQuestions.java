package io.kq;

import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/** What a Consumer asks the cluster, by an administration handle of its own that is made for the first question. */
abstract class ConsumerQuestions<K, V> extends ConsumerOverloads<K, V> {
  private ClusterView cluster;

  abstract SingleThread enter();

  abstract Map<String, Object> settings();

  @Override
  public List<PartitionInfo> partitionsFor(String topic, Duration timeout) {
    Objects.requireNonNull(topic, "the topic is null");
    try (SingleThread turn = enter()) {
      return cluster().partitionsFor(topic, Polling.millis(timeout));
    }
  }

  @Override
  public Map<String, List<PartitionInfo>> listTopics(Duration timeout) {
    try (SingleThread turn = enter()) {
      return cluster().topics(Polling.millis(timeout));
    }
  }

  @Override
  public Map<TopicPartition, OffsetAndTimestamp> offsetsForTimes(Map<TopicPartition, Long> times, Duration timeout) {
    times.forEach((partition, time) -> {
      if (time < 0) throw new IllegalArgumentException("The target time for partition " + partition + " is " + time + ". The target time cannot be negative.");
    });
    try (SingleThread turn = enter()) {
      Map<TopicPartition, OffsetAndTimestamp> found = cluster().offsets(times, Polling.millis(timeout));
      times.keySet().forEach(partition -> found.putIfAbsent(partition, null));
      return found;
    }
  }

  @Override
  public Map<TopicPartition, Long> beginningOffsets(Collection<TopicPartition> partitions, Duration timeout) {
    return ends(partitions, ClusterView.EARLIEST, timeout);
  }

  @Override
  public Map<TopicPartition, Long> endOffsets(Collection<TopicPartition> partitions, Duration timeout) {
    return ends(partitions, ClusterView.LATEST, timeout);
  }

  private Map<TopicPartition, Long> ends(Collection<TopicPartition> partitions, long which, Duration timeout) {
    Map<TopicPartition, Long> wanted = new HashMap<>();
    partitions.forEach(partition -> wanted.put(partition, which));
    try (SingleThread turn = enter()) {
      Map<TopicPartition, Long> ends = new HashMap<>();
      cluster().offsets(wanted, Polling.millis(timeout)).forEach((partition, found) -> ends.put(partition, found.offset()));
      return ends;
    }
  }

  private ClusterView cluster() {
    if (cluster == null) cluster = new ClusterView(settings());
    return cluster;
  }

  void closeQuestions() {
    if (cluster != null) cluster.close();
  }
}
