package io.kq;

import io.kq.internal.Native;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;

/** What a consumer reads: topics, a pattern, or partitions by hand, one of them at a time. */
final class Subscription {
  private final Polling polling;
  private Set<String> topics = Set.of();
  private boolean byPattern;
  private boolean byHand;

  Subscription(Polling polling) {
    this.polling = polling;
  }

  Set<String> topics() {
    return topics;
  }

  boolean byPattern() {
    return byPattern;
  }

  boolean byHand() {
    return byHand;
  }

  boolean isEmpty() {
    return topics.isEmpty() && !byPattern && !byHand;
  }

  void clear() {
    topics = Set.of();
    byPattern = byHand = false;
  }

  void toTopics(Collection<String> wanted) {
    polling.call(consumer -> Native.kq_consumer_subscribe(consumer, wanted.toArray(String[]::new)));
    topics = Collections.unmodifiableSet(new LinkedHashSet<>(wanted));
  }

  void toPattern(String pattern) {
    polling.call(consumer -> Native.kq_consumer_subscribe_pattern(consumer, pattern));
    byPattern = true;
  }

  void toPartitions(Collection<TopicPartition> partitions) {
    polling.call(consumer -> Native.kq_consumer_assign(consumer, Offsets.flat(partitions, Offsets.DEFAULT)));
    byHand = true;
  }

  void checkMayTakeTopics() {
    onlyBy(!byHand && !byPattern);
  }

  void checkMayTakePattern() {
    onlyBy(!byHand && topics.isEmpty());
  }

  void checkMayTakePartitions() {
    onlyBy(topics.isEmpty() && !byPattern);
  }

  private static void onlyBy(boolean possible) {
    if (!possible) throw new IllegalStateException("Subscription to topics, partitions and pattern are mutually exclusive: unsubscribe first");
  }

  static void check(Collection<String> topics) {
    if (topics == null) throw new IllegalArgumentException("Topic collection to subscribe to cannot be null");
    for (String topic : topics) {
      if (topic == null || topic.isBlank()) throw new IllegalArgumentException("Topic collection to subscribe to cannot contain null or empty topic");
    }
  }

  static void checkPartitions(Collection<TopicPartition> partitions) {
    if (partitions == null) throw new IllegalArgumentException("Topic partitions collection to assign to cannot be null");
    for (TopicPartition partition : partitions) {
      if (partition == null || partition.topic() == null || partition.topic().isBlank()) {
        throw new IllegalArgumentException("Topic partitions to assign to cannot have null or empty topic");
      }
    }
  }

  static String text(Pattern pattern) {
    if (pattern == null || pattern.toString().isEmpty()) throw noPattern(pattern);
    if (pattern.flags() != 0) throw new UnsupportedOperationException("libkq matches patterns itself and has no flags for them: write the pattern without");
    return pattern.pattern();
  }

  static String text(SubscriptionPattern pattern, Object groupProtocol) {
    if (pattern == null || pattern.pattern().isEmpty()) throw noPattern(pattern);
    if (!"consumer".equals(groupProtocol)) {
      throw new UnsupportedOperationException("a SubscriptionPattern is matched by the broker: set group.protocol=consumer, or subscribe with a java.util.regex.Pattern");
    }
    return pattern.pattern();
  }

  private static IllegalArgumentException noPattern(Object pattern) {
    return new IllegalArgumentException("Topic pattern to subscribe to cannot be " + (pattern == null ? "null" : "empty"));
  }
}
