package io.kq;

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/** What Consumer has twice, in terms of the call with the time-out or callback; and what libkq has not. */
abstract class ConsumerOverloads<K, V> extends WithoutMetrics implements Consumer<K, V> {
  private static final long CLOSE_MS = 30_000;

  /** default.api.timeout.ms. */
  abstract Duration apiTimeout();

  abstract void close(Duration timeout, boolean leaveGroup);

  abstract Object groupProtocol();

  /** A listener of null: none. */
  abstract void subscribeTo(Collection<String> topics, ConsumerRebalanceListener listener);

  abstract void subscribeToPattern(String pattern, ConsumerRebalanceListener listener);

  @Override
  public void subscribe(Collection<String> wanted) {
    subscribeTo(wanted, null);
  }

  @Override
  public void subscribe(Collection<String> wanted, ConsumerRebalanceListener listener) {
    check(listener);
    subscribeTo(wanted, listener);
  }

  @Override
  public void subscribe(Pattern pattern) {
    subscribeToPattern(Subscription.text(pattern), null);
  }

  /** What ECMAScript's regular expressions have is matched as Java does (with group.protocol=consumer: what RE2's have). */
  @Override
  public void subscribe(Pattern pattern, ConsumerRebalanceListener listener) {
    check(listener);
    subscribeToPattern(Subscription.text(pattern), listener);
  }

  @Override
  public void subscribe(SubscriptionPattern pattern) {
    subscribeToPattern(Subscription.text(pattern, groupProtocol()), null);
  }

  @Override
  public void subscribe(SubscriptionPattern pattern, ConsumerRebalanceListener listener) {
    check(listener);
    subscribeToPattern(Subscription.text(pattern, groupProtocol()), listener);
  }

  private static void check(ConsumerRebalanceListener listener) {
    if (listener == null) throw new IllegalArgumentException("RebalanceListener cannot be null");
  }

  @Override
  public void commitSync(Map<TopicPartition, OffsetAndMetadata> offsets) {
    commitSync(offsets, apiTimeout());
  }

  @Override
  public void commitSync() {
    commitSync(apiTimeout());
  }

  @Override
  public void commitAsync() {
    commitAsync(null);
  }

  @Override
  public Map<TopicPartition, OffsetAndMetadata> committed(Set<TopicPartition> partitions) {
    return committed(partitions, apiTimeout());
  }

  @Override
  public void seek(TopicPartition partition, OffsetAndMetadata offset) {
    seek(partition, offset.offset());
  }

  @Override
  public long position(TopicPartition partition) {
    return position(partition, apiTimeout());
  }

  @Override
  public List<PartitionInfo> partitionsFor(String topic) {
    return partitionsFor(topic, apiTimeout());
  }

  @Override
  public Map<String, List<PartitionInfo>> listTopics() {
    return listTopics(apiTimeout());
  }

  @Override
  public Map<TopicPartition, OffsetAndTimestamp> offsetsForTimes(Map<TopicPartition, Long> times) {
    return offsetsForTimes(times, apiTimeout());
  }

  @Override
  public Map<TopicPartition, Long> beginningOffsets(Collection<TopicPartition> partitions) {
    return beginningOffsets(partitions, apiTimeout());
  }

  @Override
  public Map<TopicPartition, Long> endOffsets(Collection<TopicPartition> partitions) {
    return endOffsets(partitions, apiTimeout());
  }

  @Override
  public void close() {
    close(Duration.ofMillis(CLOSE_MS));
  }

  @Override
  public void close(Duration timeout) {
    if (timeout.isNegative()) throw new IllegalArgumentException("The timeout cannot be negative.");
    close(timeout, true);
  }

  @Override
  public void close(CloseOptions options) {
    boolean leave = options.groupMembershipOperation() != CloseOptions.GroupMembershipOperation.REMAIN_IN_GROUP;
    close(options.timeout().orElse(Duration.ofMillis(CLOSE_MS)), leave);
  }

  @Override
  public void enforceRebalance() {
    enforceRebalance(null);
  }

  @Override
  public void enforceRebalance(String reason) {
    throw new UnsupportedOperationException("libkq rebalances when the group or the subscription changes: unsubscribe and subscribe again to force it");
  }
}
