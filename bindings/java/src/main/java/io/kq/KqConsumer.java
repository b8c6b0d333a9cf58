package io.kq;

import io.kq.internal.BatchKind;
import io.kq.internal.Event;
import io.kq.internal.Handle;
import io.kq.internal.Native;
import io.kq.internal.Rows;
import io.kq.internal.Settings;
import java.lang.ref.Cleaner;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerInterceptor;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetCommitCallback;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.MetricName;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.InvalidGroupIdException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.metrics.KafkaMetric;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.utils.Utils;

/**
 * A {@link Consumer} over libkq: put it where {@code KafkaConsumer} stood.  It takes the same configuration, throws the same
 * exceptions, and is one thread's at a time; {@link #wakeup} alone may be called from others.  What it does otherwise:
 *
 * <ul>
 *   <li>Heartbeats and fetches go on in libkq, on a thread that never enters Java.
 *   <li>{@link #pollBatch} gives records where they lie, without an object for each.
 *   <li>{@code wakeup} ends a poll; a commit or another question to the cluster ends by its own time-out.
 *   <li>{@code metrics()} is empty, {@code enforceRebalance} is not there, and {@code partition.assignment.strategy} takes Kafka's own
 *       assignors alone.
 * </ul>
 */
public final class KqConsumer<K, V> implements Consumer<K, V> {
  static final int RECORDS = BatchKind.KQ_RECORDS;
  static final int ASSIGNED = BatchKind.KQ_ASSIGNED;
  static final int REVOKED = BatchKind.KQ_REVOKED;
  static final int LOST = BatchKind.KQ_LOST;

  private static final System.Logger LOGGER = System.getLogger(KqConsumer.class.getName());
  private static final Cleaner CLEANER = Cleaner.create();
  private static final int SLICE_MS = 100; // how long a poll waits in libkq before it looks whether its thread was interrupted
  private static final long CLOSE_MS = 30_000;
  private static final long EARLIEST = -2;
  private static final long LATEST = -1;

  private final Deserializer<K> keys;
  private final Deserializer<V> values;
  private final List<ConsumerInterceptor<K, V>> interceptors = new ArrayList<>();
  private final Map<String, Object> settings;
  private final String groupId; // null: none
  private final boolean autoCommit;
  private final long apiMillis;
  private final Handle handle;
  private final SingleThread rule = new SingleThread();
  private final Unpacking<K, V> unpacking;
  private final Rebalances rebalances = new Rebalances();
  private final Map<TopicPartition, OffsetAndMetadata> consumed = new HashMap<>(); // where polls have ended
  private final Map<Long, PendingCommit> pending = new HashMap<>();
  private final AtomicReference<KqBatch.Scratch> scratch = new AtomicReference<>();
  private long commits;
  private Set<String> topics = Set.of();
  private boolean byPattern;
  private boolean byHand;
  private volatile boolean wokenUp;
  private ClusterView cluster; // made when first asked for

  private record PendingCommit(Map<TopicPartition, OffsetAndMetadata> offsets, OffsetCommitCallback callback) {}

  public KqConsumer(Map<String, Object> configs) {
    this(configs, null, null);
  }

  public KqConsumer(Properties properties) {
    this(KafkaSettings.map(properties), null, null);
  }

  public KqConsumer(Properties properties, Deserializer<K> keyDeserializer, Deserializer<V> valueDeserializer) {
    this(KafkaSettings.map(properties), keyDeserializer, valueDeserializer);
  }

  /** With deserializers that are ready; null: as configured. */
  @SuppressWarnings("unchecked")
  public KqConsumer(Map<String, Object> configs, Deserializer<K> keyDeserializer, Deserializer<V> valueDeserializer) {
    KafkaSettings given = new KafkaSettings(configs, ConsumerConfig.configDef());
    keys = keyDeserializer != null ? keyDeserializer : deserializer(given, ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, true);
    values = valueDeserializer != null ? valueDeserializer : deserializer(given, ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, false);
    given.lookedAtBy(keys);
    given.lookedAtBy(values);
    for (Object each : KafkaSettings.list(given.get(ConsumerConfig.INTERCEPTOR_CLASSES_CONFIG))) {
      interceptors.add(given.instance(ConsumerConfig.INTERCEPTOR_CLASSES_CONFIG, each, ConsumerInterceptor.class));
    }
    groupId = given.text(ConsumerConfig.GROUP_ID_CONFIG);
    autoCommit = groupId != null && given.flag(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, true);
    apiMillis = given.number(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, 60_000);
    settings = given.forKq(Map.of());
    unpacking = new Unpacking<>(keys, values);
    try (Settings config = new Settings(settings)) {
      handle = new Handle(Native.kq_consumer_new(config.pointer()), "consumer", Native::kq_consumer_free);
    } catch (KqException e) {
      throw KafkaErrors.of(e);
    }
    CLEANER.register(this, handle);
  }

  @SuppressWarnings("unchecked")
  private static <T> Deserializer<T> deserializer(KafkaSettings given, String key, boolean isKey) {
    Deserializer<T> deserializer = given.instance(key, Deserializer.class);
    deserializer.configure(given.given(), isKey);
    return deserializer;
  }

  // ---- what to read ------------------------------------------------------------------------------------------------------------

  @Override
  public Set<TopicPartition> assignment() {
    try (SingleThread turn = enter()) {
      return Collections.unmodifiableSet(new LinkedHashSet<>(rebalances.assigned()));
    }
  }

  @Override
  public Set<String> subscription() {
    try (SingleThread turn = enter()) {
      if (!byPattern) return topics;
      Set<String> matched = new LinkedHashSet<>();
      rebalances.assigned().forEach(partition -> matched.add(partition.topic()));
      return Collections.unmodifiableSet(matched);
    }
  }

  @Override
  public void subscribe(Collection<String> wanted) {
    subscribeTo(wanted, null);
  }

  @Override
  public void subscribe(Collection<String> wanted, ConsumerRebalanceListener listener) {
    if (listener == null) throw new IllegalArgumentException("RebalanceListener cannot be null");
    subscribeTo(wanted, listener);
  }

  private void subscribeTo(Collection<String> wanted, ConsumerRebalanceListener listener) {
    try (SingleThread turn = enter()) {
      needGroup();
      if (wanted == null) throw new IllegalArgumentException("Topic collection to subscribe to cannot be null");
      for (String topic : wanted) {
        if (topic == null || topic.isBlank()) throw new IllegalArgumentException("Topic collection to subscribe to cannot contain null or empty topic");
      }
      if (wanted.isEmpty()) {
        unsubscribe();
        return;
      }
      onlyBy(!byHand && !byPattern);
      rebalances.listener(listener);
      call(consumer -> Native.kq_consumer_subscribe(consumer, wanted.toArray(String[]::new)));
      topics = Collections.unmodifiableSet(new LinkedHashSet<>(wanted));
    }
  }

  @Override
  public void subscribe(Pattern pattern) {
    subscribeTo(pattern, null);
  }

  /** What ECMAScript's regular expressions have is matched as Java does (with group.protocol=consumer: what RE2's have). */
  @Override
  public void subscribe(Pattern pattern, ConsumerRebalanceListener listener) {
    if (listener == null) throw new IllegalArgumentException("RebalanceListener cannot be null");
    subscribeTo(pattern, listener);
  }

  private void subscribeTo(Pattern pattern, ConsumerRebalanceListener listener) {
    if (pattern == null || pattern.toString().isEmpty()) throw new IllegalArgumentException("Topic pattern to subscribe to cannot be " + (pattern == null ? "null" : "empty"));
    if (pattern.flags() != 0) throw new UnsupportedOperationException("libkq matches patterns itself and has no flags for them: write the pattern without");
    subscribeToPattern(pattern.pattern(), listener);
  }

  @Override
  public void subscribe(SubscriptionPattern pattern) {
    subscribeTo(pattern, null);
  }

  @Override
  public void subscribe(SubscriptionPattern pattern, ConsumerRebalanceListener listener) {
    if (listener == null) throw new IllegalArgumentException("RebalanceListener cannot be null");
    subscribeTo(pattern, listener);
  }

  private void subscribeTo(SubscriptionPattern pattern, ConsumerRebalanceListener listener) {
    if (pattern == null || pattern.pattern().isEmpty()) throw new IllegalArgumentException("Topic pattern to subscribe to cannot be " + (pattern == null ? "null" : "empty"));
    if (!"consumer".equals(settings.get("group.protocol"))) {
      throw new UnsupportedOperationException("a SubscriptionPattern is matched by the broker: set group.protocol=consumer, or subscribe with a java.util.regex.Pattern");
    }
    subscribeToPattern(pattern.pattern(), listener);
  }

  private void subscribeToPattern(String pattern, ConsumerRebalanceListener listener) {
    try (SingleThread turn = enter()) {
      needGroup();
      onlyBy(!byHand && topics.isEmpty());
      rebalances.listener(listener);
      call(consumer -> Native.kq_consumer_subscribe_pattern(consumer, pattern));
      byPattern = true;
    }
  }

  private static void onlyBy(boolean possible) {
    if (!possible) throw new IllegalStateException("Subscription to topics, partitions and pattern are mutually exclusive: unsubscribe first");
  }

  @Override
  public void unsubscribe() {
    try (SingleThread turn = enter()) {
      if (byHand) {
        call(consumer -> Native.kq_consumer_assign(consumer, new byte[0]));
        rebalances.replace(Set.of());
      } else {
        try {
          rebalances.revokeAll();
        } finally {
          call(Native::kq_consumer_unsubscribe);
        }
      }
      rebalances.listener(null);
      topics = Set.of();
      byPattern = byHand = false;
      consumed.clear();
    }
  }

  @Override
  public void assign(Collection<TopicPartition> partitions) {
    try (SingleThread turn = enter()) {
      if (partitions == null) throw new IllegalArgumentException("Topic partitions collection to assign to cannot be null");
      for (TopicPartition partition : partitions) {
        if (partition == null || partition.topic() == null || partition.topic().isBlank()) {
          throw new IllegalArgumentException("Topic partitions to assign to cannot have null or empty topic");
        }
      }
      if (partitions.isEmpty()) {
        unsubscribe();
        return;
      }
      onlyBy(topics.isEmpty() && !byPattern);
      call(consumer -> Native.kq_consumer_assign(consumer, Offsets.flat(partitions, Offsets.DEFAULT)));
      rebalances.replace(partitions);
      consumed.keySet().retainAll(rebalances.assigned());
      byHand = true;
    }
  }

  // ---- polling -----------------------------------------------------------------------------------------------------------------

  @Override
  public ConsumerRecords<K, V> poll(Duration timeout) {
    try (SingleThread turn = enter()) {
      ConsumerRecords<K, V> records = nextRecords(timeout, ConsumerRecords.empty(), this::unpacked);
      return interceptors.isEmpty() || records.isEmpty() ? records : Interceptors.onConsume(interceptors, records);
    }
  }

  /** The same without making an object for each record: the batch is to be closed.  Empty where there was nothing within the time. */
  public KqBatch pollBatch(Duration timeout) {
    try (SingleThread turn = enter()) {
      KqBatch batch = nextRecords(timeout, null, this::takenOver);
      return batch == null ? new KqBatch(0, scratch) : batch;
    }
  }

  private interface Taking<T> {
    /** Null: it holds nothing for the application.  The batch is to be freed, or taken over. */
    T take(long batch);
  }

  /** Polls until there are records, and tells of what happens before them. */
  private <T> T nextRecords(Duration timeout, T nothing, Taking<T> taking) {
    if (timeout.isNegative()) throw new IllegalArgumentException("The timeout cannot be negative: " + timeout);
    if (topics.isEmpty() && !byPattern && !byHand) {
      throw new IllegalStateException("Consumer is not subscribed to any topics or assigned any partitions");
    }
    long deadline = deadline(millis(timeout));
    while (true) {
      checkInterruptions();
      long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
      long batch = nextBatch((int) Math.max(0, Math.min(left, SLICE_MS)));
      if (batch != 0) {
        T taken = Native.kq_batch_kind_of(batch) == RECORDS ? taking.take(batch) : happened(batch);
        if (taken != null) return taken;
      }
      if (System.nanoTime() - deadline >= 0) {
        checkInterruptions();
        return nothing;
      }
    }
  }

  private void checkInterruptions() {
    if (wokenUp) {
      wokenUp = false;
      throw new WakeupException();
    }
    if (Thread.interrupted()) throw new InterruptException("interrupted in poll");
  }

  /** 0: none in time.  What libkq tries again by itself is no matter of the application's. */
  private long nextBatch(int timeoutMillis) {
    long consumer = handle.enter();
    try {
      return Native.kq_consumer_poll(consumer, timeoutMillis);
    } catch (KqException e) {
      if (e.name().equals("NO_ROOM")) return waitForRoom(e);
      if (e.verdict() == KqException.Verdict.RETRY) {
        LOGGER.log(System.Logger.Level.DEBUG, e.getMessage());
        return 0;
      }
      throw KafkaErrors.of(e);
    } finally {
      handle.leave();
    }
  }

  /** The memory is that of batches which the program holds, or of buffers that nobody has any more: these are found by a collection. */
  private static long waitForRoom(KqException e) {
    System.gc();
    try {
      Thread.sleep(SLICE_MS);
    } catch (InterruptedException interrupt) {
      throw new InterruptException(interrupt);
    }
    LOGGER.log(System.Logger.Level.DEBUG, e.getMessage());
    return 0;
  }

  private ConsumerRecords<K, V> unpacked(long batch) {
    ConsumerRecords<K, V> records;
    try {
      records = unpacking.unpack(batch);
    } finally {
      Native.kq_batch_free(batch);
    }
    consumed.putAll(records.nextOffsets());
    if (unpacking.unread() != null) {
      unpacking.unread().forEach((partition, offset) -> seekTo(partition, offset));
      if (records.isEmpty()) throw unpacking.failure();
    }
    return records.isEmpty() ? null : records;
  }

  private KqBatch takenOver(long batch) {
    KqBatch taken = new KqBatch(batch, scratch);
    taken.noteNext(consumed);
    return taken;
  }

  /** An assignment has changed, or a commit has ended. */
  private <T> T happened(long batch) {
    try {
      int kind = Native.kq_batch_kind_of(batch);
      if (kind == ASSIGNED || kind == REVOKED || kind == LOST) {
        rebalances.changed(kind, batch);
        if (kind != ASSIGNED) consumed.keySet().retainAll(rebalances.assigned());
      } else if (Native.kq_batch_event(batch) == Event.KQ_COMMITTED) {
        committed(batch);
      }
    } finally {
      Native.kq_batch_free(batch); // of REVOKED: now the partitions may go
    }
    return null;
  }

  @Override
  public void wakeup() {
    wokenUp = true;
    try {
      Native.kq_consumer_wakeup(handle.enter());
    } finally {
      handle.leave();
    }
  }

  // ---- committing --------------------------------------------------------------------------------------------------------------

  @Override
  public void commitSync() {
    commitSync(Duration.ofMillis(apiMillis));
  }

  @Override
  public void commitSync(Duration timeout) {
    try (SingleThread turn = enter()) {
      needGroup();
      commit(positions(), timeout);
    }
  }

  @Override
  public void commitSync(Map<TopicPartition, OffsetAndMetadata> offsets) {
    commitSync(offsets, Duration.ofMillis(apiMillis));
  }

  @Override
  public void commitSync(Map<TopicPartition, OffsetAndMetadata> offsets, Duration timeout) {
    try (SingleThread turn = enter()) {
      needGroup();
      commit(offsets, timeout);
    }
  }

  private void commit(Map<TopicPartition, OffsetAndMetadata> offsets, Duration timeout) {
    if (offsets.isEmpty()) return;
    checkInterruptions();
    byte[] flat = Offsets.flat(offsets);
    long consumer = handle.enter();
    try {
      Native.kq_consumer_commit(consumer, flat, (int) millis(timeout));
    } catch (KqException e) {
      throw KafkaErrors.ofCommit(e);
    } finally {
      handle.leave();
    }
    Interceptors.onCommit(interceptors, offsets);
  }

  @Override
  public void commitAsync() {
    commitAsync(null);
  }

  @Override
  public void commitAsync(OffsetCommitCallback callback) {
    try (SingleThread turn = enter()) {
      commitAsync(positions(), callback);
    }
  }

  /** The callback runs in a later poll, or in close. */
  @Override
  public void commitAsync(Map<TopicPartition, OffsetAndMetadata> offsets, OffsetCommitCallback callback) {
    try (SingleThread turn = enter()) {
      needGroup();
      Map<TopicPartition, OffsetAndMetadata> wanted = Map.copyOf(offsets);
      if (wanted.isEmpty()) {
        if (callback != null) callback.onComplete(wanted, null);
        return;
      }
      byte[] flat = Offsets.flat(wanted);
      long tag = ++commits;
      call(consumer -> Native.kq_consumer_commit_async(consumer, flat, tag));
      pending.put(tag, new PendingCommit(wanted, callback));
    }
  }

  private void committed(long batch) {
    PendingCommit[] commit = new PendingCommit[1];
    KqException[] failure = new KqException[1];
    Unpacking.forEachRow(batch, (row, partition, offset, tag) -> {
      if (commit[0] == null) commit[0] = pending.remove(tag);
      if (failure[0] == null) failure[0] = Native.kq_batch_error(batch, row);
    });
    if (commit[0] == null) return;
    if (failure[0] == null) Interceptors.onCommit(interceptors, commit[0].offsets());
    OffsetCommitCallback callback = commit[0].callback();
    if (callback != null) callback.onComplete(commit[0].offsets(), failure[0] == null ? null : KafkaErrors.ofCommit(failure[0]));
  }

  /** Of all that is assigned, the next record to read. */
  private Map<TopicPartition, OffsetAndMetadata> positions() {
    Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
    for (TopicPartition partition : rebalances.assigned()) {
      OffsetAndMetadata polled = consumed.get(partition);
      long position = positionNow(partition);
      if (polled != null && (position < 0 || polled.offset() == position)) {
        positions.put(partition, polled);
      } else if (position >= 0) {
        positions.put(partition, new OffsetAndMetadata(position));
      }
    }
    return positions;
  }

  @Override
  public Map<TopicPartition, OffsetAndMetadata> committed(Set<TopicPartition> partitions) {
    return committed(partitions, Duration.ofMillis(apiMillis));
  }

  @Override
  public Map<TopicPartition, OffsetAndMetadata> committed(Set<TopicPartition> partitions, Duration timeout) {
    try (SingleThread turn = enter()) {
      needGroup();
      if (partitions.isEmpty()) return Map.of();
      byte[] flat = Offsets.flat(partitions, Offsets.DEFAULT);
      long rows = call(consumer -> Native.kq_consumer_committed(consumer, flat, (int) millis(timeout)));
      try (Rows found = new Rows(rows)) {
        return Offsets.committed(found);
      }
    }
  }

  @Override
  public ConsumerGroupMetadata groupMetadata() {
    try (SingleThread turn = enter()) {
      needGroup();
      long metadata = call(Native::kq_consumer_group_metadata);
      try {
        return new ConsumerGroupMetadata(Native.kq_group_metadata_group_id(metadata), Native.kq_group_metadata_generation(metadata),
            Native.kq_group_metadata_member_id(metadata),
            Optional.ofNullable(Native.kq_group_metadata_group_instance_id(metadata)));
      } finally {
        Native.kq_group_metadata_free(metadata);
      }
    }
  }

  private void needGroup() {
    if (groupId != null && !groupId.isEmpty()) return;
    throw new InvalidGroupIdException("To use the group management or offset commit APIs, you must provide a valid group.id in the consumer configuration.");
  }

  // ---- where to read -----------------------------------------------------------------------------------------------------------

  @Override
  public void seek(TopicPartition partition, long offset) {
    if (offset < 0) throw new IllegalArgumentException("seek offset must not be a negative number");
    try (SingleThread turn = enter()) {
      needAssigned(partition);
      seekTo(partition, offset);
    }
  }

  @Override
  public void seek(TopicPartition partition, OffsetAndMetadata offset) {
    seek(partition, offset.offset());
  }

  @Override
  public void seekToBeginning(Collection<TopicPartition> partitions) {
    seekAll(partitions, EARLIEST);
  }

  @Override
  public void seekToEnd(Collection<TopicPartition> partitions) {
    seekAll(partitions, LATEST);
  }

  private void seekAll(Collection<TopicPartition> partitions, long offset) {
    if (partitions == null) throw new IllegalArgumentException("Partitions collection cannot be null");
    try (SingleThread turn = enter()) {
      partitions.forEach(this::needAssigned);
      for (TopicPartition partition : partitions.isEmpty() ? List.copyOf(rebalances.assigned()) : partitions) seekTo(partition, offset);
    }
  }

  private void seekTo(TopicPartition partition, long offset) {
    consumed.remove(partition);
    call(consumer -> Native.kq_consumer_seek(consumer, partition.topic(), partition.partition(), offset));
  }

  @Override
  public long position(TopicPartition partition) {
    return position(partition, Duration.ofMillis(apiMillis));
  }

  @Override
  public long position(TopicPartition partition, Duration timeout) {
    try (SingleThread turn = enter()) {
      if (!rebalances.assigned().contains(partition)) {
        throw new IllegalStateException("You can only check the position for partitions assigned to this consumer: " + partition);
      }
      long deadline = deadline(millis(timeout));
      for (long position; ; pause()) {
        position = positionNow(partition);
        if (position >= 0) return position;
        checkInterruptions();
        if (System.nanoTime() - deadline >= 0) {
          throw new TimeoutException("Timeout of " + timeout.toMillis() + "ms expired before the position for partition " + partition + " could be determined");
        }
      }
    }
  }

  /** Below zero: not known yet. */
  private long positionNow(TopicPartition partition) {
    long consumer = handle.enter();
    try {
      return Native.kq_consumer_position(consumer, partition.topic(), partition.partition());
    } catch (KqException e) {
      return -1; // it is being revoked
    } finally {
      handle.leave();
    }
  }

  private static void pause() {
    try {
      Thread.sleep(5);
    } catch (InterruptedException e) {
      throw new InterruptException(e);
    }
  }

  @Override
  public Set<TopicPartition> paused() {
    try (SingleThread turn = enter()) {
      return Set.copyOf(rebalances.paused());
    }
  }

  @Override
  public void pause(Collection<TopicPartition> partitions) {
    try (SingleThread turn = enter()) {
      partitions.forEach(this::needAssigned);
      for (TopicPartition each : partitions) {
        call(consumer -> Native.kq_consumer_pause(consumer, each.topic(), each.partition()));
        rebalances.paused().add(each);
      }
    }
  }

  @Override
  public void resume(Collection<TopicPartition> partitions) {
    try (SingleThread turn = enter()) {
      partitions.forEach(this::needAssigned);
      for (TopicPartition each : partitions) {
        call(consumer -> Native.kq_consumer_resume(consumer, each.topic(), each.partition()));
        rebalances.paused().remove(each);
      }
    }
  }

  private void needAssigned(TopicPartition partition) {
    if (!rebalances.assigned().contains(partition)) throw new IllegalStateException("No current assignment for partition " + partition);
  }

  @Override
  public OptionalLong currentLag(TopicPartition partition) {
    try (SingleThread turn = enter()) {
      needAssigned(partition);
      try (Rows rows = new Rows(call(Native::kq_consumer_assignment))) {
        for (int row = 0; row < rows.count(); row++) {
          if (!Offsets.partition(rows, row).equals(partition)) continue;
          long lag = rows.number(row, "lag");
          return lag < 0 ? OptionalLong.empty() : OptionalLong.of(lag);
        }
      }
      return OptionalLong.empty();
    }
  }

  // ---- questions to the cluster ------------------------------------------------------------------------------------------------

  @Override
  public List<PartitionInfo> partitionsFor(String topic) {
    return partitionsFor(topic, Duration.ofMillis(apiMillis));
  }

  @Override
  public List<PartitionInfo> partitionsFor(String topic, Duration timeout) {
    Objects.requireNonNull(topic, "the topic is null");
    try (SingleThread turn = enter()) {
      return cluster().partitionsFor(topic, millis(timeout));
    }
  }

  @Override
  public Map<String, List<PartitionInfo>> listTopics() {
    return listTopics(Duration.ofMillis(apiMillis));
  }

  @Override
  public Map<String, List<PartitionInfo>> listTopics(Duration timeout) {
    try (SingleThread turn = enter()) {
      return cluster().topics(millis(timeout));
    }
  }

  @Override
  public Map<TopicPartition, OffsetAndTimestamp> offsetsForTimes(Map<TopicPartition, Long> times) {
    return offsetsForTimes(times, Duration.ofMillis(apiMillis));
  }

  @Override
  public Map<TopicPartition, OffsetAndTimestamp> offsetsForTimes(Map<TopicPartition, Long> times, Duration timeout) {
    times.forEach((partition, time) -> {
      if (time < 0) throw new IllegalArgumentException("The target time for partition " + partition + " is " + time + ". The target time cannot be negative.");
    });
    try (SingleThread turn = enter()) {
      Map<TopicPartition, OffsetAndTimestamp> found = cluster().offsets(times, millis(timeout));
      times.keySet().forEach(partition -> found.putIfAbsent(partition, null));
      return found;
    }
  }

  @Override
  public Map<TopicPartition, Long> beginningOffsets(Collection<TopicPartition> partitions) {
    return beginningOffsets(partitions, Duration.ofMillis(apiMillis));
  }

  @Override
  public Map<TopicPartition, Long> beginningOffsets(Collection<TopicPartition> partitions, Duration timeout) {
    return ends(partitions, ClusterView.EARLIEST, timeout);
  }

  @Override
  public Map<TopicPartition, Long> endOffsets(Collection<TopicPartition> partitions) {
    return endOffsets(partitions, Duration.ofMillis(apiMillis));
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
      cluster().offsets(wanted, millis(timeout)).forEach((partition, found) -> ends.put(partition, found.offset()));
      return ends;
    }
  }

  private ClusterView cluster() {
    if (cluster == null) cluster = new ClusterView(settings);
    return cluster;
  }

  // ---- what is not there -------------------------------------------------------------------------------------------------------

  /** Empty: libkq has none of Kafka's metrics. */
  @Override
  public Map<MetricName, ? extends Metric> metrics() {
    return Map.of();
  }

  @Override
  public Uuid clientInstanceId(Duration timeout) {
    throw new UnsupportedOperationException("libkq sends no telemetry, so a client has no instance id");
  }

  @Override
  public void registerMetricForSubscription(KafkaMetric metric) {
    throw new UnsupportedOperationException("libkq sends no telemetry, so no metric can be added to it");
  }

  @Override
  public void unregisterMetricFromSubscription(KafkaMetric metric) {
    throw new UnsupportedOperationException("libkq sends no telemetry, so no metric can be taken from it");
  }

  @Override
  public void enforceRebalance() {
    enforceRebalance(null);
  }

  @Override
  public void enforceRebalance(String reason) {
    throw new UnsupportedOperationException("libkq rebalances when the group or the subscription changes: unsubscribe and subscribe again to force it");
  }

  // ---- closing -----------------------------------------------------------------------------------------------------------------

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

  /** Commits where auto-commit is on, tells the listener, and leaves the group.  Closing twice does nothing. */
  private void close(Duration timeout, boolean leaveGroup) {
    try (SingleThread turn = rule.enter()) {
      if (handle.closed()) return;
      long deadline = deadline(millis(timeout));
      RuntimeException failure = null;
      try {
        endCommits(deadline, leaveGroup);
        if (!byHand) rebalances.revokeAll();
      } catch (WakeupException e) {
        // Closing goes on.
      } catch (RuntimeException e) {
        failure = e;
      }
      try {
        if (leaveGroup) call(consumer -> Native.kq_consumer_close(consumer, (int) Math.max(0, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime()))));
      } catch (RuntimeException e) {
        LOGGER.log(System.Logger.Level.WARNING, "the consumer has closed, but: " + e.getMessage());
      } finally {
        handle.close();
        Utils.closeQuietly(cluster, "kq's administration");
        interceptors.forEach(each -> Utils.closeQuietly(each, "consumer interceptor"));
        Utils.closeQuietly(keys, "key deserializer");
        Utils.closeQuietly(values, "value deserializer");
      }
      if (failure != null) throw failure;
    }
  }

  /** Who waits for a commit is told, and what polls have returned is there to be committed. */
  private void endCommits(long deadline, boolean leaveGroup) {
    for (TopicPartition each : rebalances.assigned()) { // so that the polls give no records
      call(consumer -> Native.kq_consumer_pause(consumer, each.topic(), each.partition()));
    }
    if (autoCommit && leaveGroup) nothingMore(0); // libkq commits on leaving what was returned before the last poll
    while (!pending.isEmpty() && System.nanoTime() - deadline < 0) nothingMore(SLICE_MS);
    if (autoCommit && !leaveGroup) commit(positions(), Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
  }

  private void nothingMore(int timeoutMillis) {
    long batch = nextBatch(timeoutMillis);
    if (batch != 0) happened(batch);
  }

  // ---- calls -------------------------------------------------------------------------------------------------------------------

  private SingleThread enter() {
    if (handle.closed()) throw new IllegalStateException("This consumer has already been closed.");
    return rule.enter();
  }

  private interface Call {
    long call(long consumer);
  }

  private long call(Call call) {
    long consumer = handle.enter();
    try {
      return call.call(consumer);
    } catch (KqException e) {
      throw KafkaErrors.of(e);
    } finally {
      handle.leave();
    }
  }

  private static long millis(Duration duration) {
    try {
      return Math.min(duration.toMillis(), Integer.MAX_VALUE);
    } catch (ArithmeticException e) {
      return Integer.MAX_VALUE;
    }
  }

  private static long deadline(long millis) {
    return System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
  }
}
