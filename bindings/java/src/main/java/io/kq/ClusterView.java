package io.kq;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** What producers and consumers tell of topics and offsets, asked for by an administration handle with the same settings. */
final class ClusterView implements AutoCloseable {
  static final long LATEST = -1;
  static final long EARLIEST = -2;

  private final KqAdmin admin;
  private final String isolation;

  ClusterView(Map<String, Object> settings) {
    admin = new KqAdmin(settings);
    isolation = settings.getOrDefault("isolation.level", "read_uncommitted").toString();
  }

  /** Empty where there is no such topic. */
  List<PartitionInfo> partitionsFor(String topic, long timeoutMillis) {
    List<KqAdmin.Row> rows = run(admin.request("describe_topics").set("topic", topic), timeoutMillis);
    try {
      return partitions(rows.get(0), nodes(timeoutMillis));
    } catch (UnknownTopicOrPartitionException e) {
      return List.of();
    }
  }

  /** Uuid.ZERO_UUID where it cannot be learnt any more. */
  Uuid topicId(String topic, long timeoutMillis) {
    KqAdmin.Row row = run(admin.request("describe_topics").set("topic", topic), timeoutMillis).get(0);
    return row.error() != null ? Uuid.ZERO_UUID : Uuid.fromString(row.text("topic_id"));
  }

  Map<String, List<PartitionInfo>> topics(long timeoutMillis) {
    Map<Long, Node> nodes = nodes(timeoutMillis);
    Map<String, List<PartitionInfo>> topics = new HashMap<>();
    for (KqAdmin.Row row : run(admin.request("describe_topics"), timeoutMillis)) {
      if (row.error() == null) topics.put(row.text("topic"), partitions(row, nodes));
    }
    return topics;
  }

  /** The first offset at or after each time; what has none is left out. */
  Map<TopicPartition, OffsetAndTimestamp> offsets(Map<TopicPartition, Long> times, long timeoutMillis) {
    Map<TopicPartition, OffsetAndTimestamp> offsets = new HashMap<>();
    if (times.isEmpty()) return offsets;
    KqAdmin.Request request = admin.request("list_offsets").set("isolation", isolation);
    boolean first = true;
    for (Map.Entry<TopicPartition, Long> each : times.entrySet()) {
      if (!first) request.item();
      first = false;
      request.set("topic", each.getKey().topic()).set("partition", each.getKey().partition()).set("timestamp", each.getValue());
    }
    for (KqAdmin.Row row : run(request, timeoutMillis)) {
      check(row);
      long offset = row.number("offset");
      if (offset < 0) continue;
      offsets.put(new TopicPartition(row.text("topic"), (int) row.number("partition")),
          new OffsetAndTimestamp(offset, Math.max(0, row.number("timestamp")), Offsets.epoch(row.number("leader_epoch"))));
    }
    return offsets;
  }

  private Map<Long, Node> nodes(long timeoutMillis) {
    Map<Long, Node> nodes = new HashMap<>();
    for (KqAdmin.Row node : run(admin.request("describe_cluster"), timeoutMillis).get(0).rows("nodes")) {
      nodes.put(node.number("node"), new Node((int) node.number("node"), node.text("host"), (int) node.number("port"), node.text("rack")));
    }
    return nodes;
  }

  private static List<PartitionInfo> partitions(KqAdmin.Row topic, Map<Long, Node> nodes) {
    check(topic);
    List<PartitionInfo> partitions = new ArrayList<>();
    for (KqAdmin.Row row : topic.rows("partitions")) {
      partitions.add(new PartitionInfo(topic.text("topic"), (int) row.number("partition"), nodes.get(row.number("leader")),
          nodes(row, "replicas", nodes), nodes(row, "isr", nodes), nodes(row, "offline", nodes)));
    }
    return partitions;
  }

  private static Node[] nodes(KqAdmin.Row partition, String column, Map<Long, Node> nodes) {
    return partition.rows(column).stream().map(row -> row.number("node"))
        .map(id -> nodes.getOrDefault(id, new Node(id.intValue(), "", -1))).toArray(Node[]::new);
  }

  private static List<KqAdmin.Row> run(KqAdmin.Request request, long timeoutMillis) {
    try {
      return request.run(Duration.ofMillis(timeoutMillis));
    } catch (KqException e) {
      throw KafkaErrors.of(e);
    }
  }

  private static void check(KqAdmin.Row row) {
    if (row.error() != null) throw KafkaErrors.of(row.error());
  }

  @Override
  public void close() {
    admin.close();
  }
}
