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
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerInterceptor;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetCommitCallback;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidGroupIdException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.WakeupException;
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
public final class KqConsumer<K, V> extends ConsumerQuestions<K, V> {
  static final int RECORDS = BatchKind.KQ_RECORDS;
  static final int ASSIGNED = BatchKind.KQ_ASSIGNED;
  static final int REVOKED = BatchKind.KQ_REVOKED;
  static final int LOST = BatchKind.KQ_LOST;

  private static final System.Logger LOGGER = System.getLogger(KqConsumer.class.getName());
  private static final Cleaner CLEANER = Cleaner.create();
  private static final long EARLIEST = -2;
  private static final long LATEST = -1;

  private final Deserializer<K> keys;
  private final Deserializer<V> values;
  private final List<ConsumerInterceptor<K, V>> interceptors = new ArrayList<>();
  private final Map<String, Object> settings;
  private final String groupId; // null: none
  private final boolean autoCommit;
  private final Duration apiTimeout;
  private final Polling polling;
  private final Subscription subscription;
  private final Commits commits;
  private final SingleThread rule = new SingleThread("KqConsumer");
  private final Unpacking<K, V> unpacking;
  private final Rebalances rebalances = new Rebalances();
  private final Map<TopicPartition, OffsetAndMetadata> consumed = new HashMap<>(); // where polls have ended
  private final AtomicReference<KqBatch.Scratch> scratch = new AtomicReference<>();

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
    keys = keyDeserializer != null ? keyDeserializer : given.deserializer(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, true);
    values = valueDeserializer != null ? valueDeserializer : given.deserializer(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, false);
    given.lookedAtBy(keys);
    given.lookedAtBy(values);
    for (Object each : KafkaSettings.list(given.get(ConsumerConfig.INTERCEPTOR_CLASSES_CONFIG))) {
      interceptors.add(given.instance(ConsumerConfig.INTERCEPTOR_CLASSES_CONFIG, each, ConsumerInterceptor.class));
    }
    groupId = given.text(ConsumerConfig.GROUP_ID_CONFIG);
    autoCommit = groupId != null && given.flag(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, true);
    apiTimeout = Duration.ofMillis(given.number(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, 60_000));
    settings = given.forKq(Map.of());
    unpacking = new Unpacking<>(keys, values);
    Handle handle;
    try (Settings config = new Settings(settings)) {
      handle = new Handle(Native.kq_consumer_new(config.pointer()), "consumer", Native::kq_consumer_free);
    } catch (KqException e) {
      throw KafkaErrors.of(e);
    }
    CLEANER.register(this, handle);
    polling = new Polling(handle, Native::kq_consumer_poll, Native::kq_consumer_wakeup);
    subscription = new Subscription(polling);
    commits = new Commits(polling, interceptors);
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
      if (!subscription.byPattern()) return subscription.topics();
      Set<String> matched = new LinkedHashSet<>();
      rebalances.assigned().forEach(partition -> matched.add(partition.topic()));
      return Collections.unmodifiableSet(matched);
    }
  }

  @Override
  void subscribeTo(Collection<String> wanted, ConsumerRebalanceListener listener) {
    try (SingleThread turn = enter()) {
      needGroup();
      Subscription.check(wanted);
      if (wanted.isEmpty()) {
        unsubscribe();
        return;
      }
      subscription.checkMayTakeTopics();
      rebalances.listener(listener);
      subscription.toTopics(wanted);
    }
  }

  @Override
  void subscribeToPattern(String pattern, ConsumerRebalanceListener listener) {
    try (SingleThread turn = enter()) {
      needGroup();
      subscription.checkMayTakePattern();
      rebalances.listener(listener);
      subscription.toPattern(pattern);
    }
  }

  @Override
  public void unsubscribe() {
    try (SingleThread turn = enter()) {
      if (subscription.byHand()) {
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
      subscription.clear();
      consumed.clear();
    }
  }

  @Override
  public void assign(Collection<TopicPartition> partitions) {
    try (SingleThread turn = enter()) {
      Subscription.checkPartitions(partitions);
      if (partitions.isEmpty()) {
        unsubscribe();
        return;
      }
      subscription.checkMayTakePartitions();
      subscription.toPartitions(partitions);
      rebalances.replace(partitions);
      consumed.keySet().retainAll(rebalances.assigned());
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

  /** Polls until there are records, and tells of what happens before them. */
  private <T> T nextRecords(Duration timeout, T nothing, Polling.Taking<T> taking) {
    if (timeout.isNegative()) throw new IllegalArgumentException("The timeout cannot be negative: " + timeout);
    if (subscription.isEmpty()) throw new IllegalStateException("Consumer is not subscribed to any topics or assigned any partitions");
    return polling.until(timeout, nothing, batch -> Native.kq_batch_kind_of(batch) == RECORDS ? taking.take(batch) : happened(batch));
  }

  private ConsumerRecords<K, V> unpacked(long batch) {
    ConsumerRecords<K, V> records;
    Map<TopicPartition, Long> unread = Map.of();
    try {
      records = unpacking.unpack(batch, 0);
      if (unpacking.failure() != null) unread = Unpacking.offsets(batch, unpacking.end());
    } finally {
      Native.kq_batch_free(batch);
    }
    consumed.putAll(records.nextOffsets());
    unread.forEach(this::seekTo);
    if (records.isEmpty() && unpacking.failure() != null) throw unpacking.failure();
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
        commits.ended(batch);
      }
    } finally {
      Native.kq_batch_free(batch); // of REVOKED: now the partitions may go
    }
    return null;
  }

  @Override
  public void wakeup() {
    polling.wakeup();
  }

  // ---- committing --------------------------------------------------------------------------------------------------------------

  @Override
  public void commitSync(Duration timeout) {
    try (SingleThread turn = enter()) {
      needGroup();
      commits.commit(positions(), timeout);
    }
  }

  @Override
  public void commitSync(Map<TopicPartition, OffsetAndMetadata> offsets, Duration timeout) {
    try (SingleThread turn = enter()) {
      needGroup();
      commits.commit(offsets, timeout);
    }
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
      commits.commitAsync(offsets, callback);
    }
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
  public Map<TopicPartition, OffsetAndMetadata> committed(Set<TopicPartition> partitions, Duration timeout) {
    try (SingleThread turn = enter()) {
      needGroup();
      if (partitions.isEmpty()) return Map.of();
      byte[] flat = Offsets.flat(partitions, Offsets.DEFAULT);
      long rows = call(consumer -> Native.kq_consumer_committed(consumer, flat, (int) Polling.millis(timeout)));
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
  public long position(TopicPartition partition, Duration timeout) {
    try (SingleThread turn = enter()) {
      if (!rebalances.assigned().contains(partition)) {
        throw new IllegalStateException("You can only check the position for partitions assigned to this consumer: " + partition);
      }
      long deadline = Polling.deadline(Polling.millis(timeout));
      for (long position; ; Polling.pause(5)) {
        position = positionNow(partition);
        if (position >= 0) return position;
        polling.checkInterruptions();
        if (System.nanoTime() - deadline >= 0) {
          throw new TimeoutException("Timeout of " + timeout.toMillis() + "ms expired before the position for partition " + partition + " could be determined");
        }
      }
    }
  }

  /** Below zero: not known yet. */
  private long positionNow(TopicPartition partition) {
    long consumer = polling.handle().enter();
    try {
      return Native.kq_consumer_position(consumer, partition.topic(), partition.partition());
    } catch (KqException e) {
      return -1; // it is being revoked
    } finally {
      polling.handle().leave();
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

  // ---- closing -----------------------------------------------------------------------------------------------------------------

  /** Commits where auto-commit is on, tells the listener, and leaves the group.  Closing twice does nothing. */
  @Override
  void close(Duration timeout, boolean leaveGroup) {
    try (SingleThread turn = rule.enter()) {
      if (polling.handle().closed()) return;
      long deadline = Polling.deadline(Polling.millis(timeout));
      RuntimeException failure = null;
      try {
        endCommits(deadline, leaveGroup);
        if (!subscription.byHand()) rebalances.revokeAll();
      } catch (WakeupException e) {
        // Closing goes on.
      } catch (RuntimeException e) {
        failure = e;
      }
      try {
        if (leaveGroup) call(consumer -> Native.kq_consumer_close(consumer, Polling.millisUntil(deadline)));
      } catch (RuntimeException e) {
        LOGGER.log(System.Logger.Level.WARNING, "the consumer has closed, but: " + e.getMessage());
      } finally {
        polling.handle().close();
        Utils.closeQuietly(this::closeQuestions, "kq's administration");
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
    while (commits.anyPending() && System.nanoTime() - deadline < 0) nothingMore(Polling.SLICE_MS);
    if (autoCommit && !leaveGroup) commits.commit(positions(), Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
  }

  private void nothingMore(int timeoutMillis) {
    long batch = polling.next(timeoutMillis);
    if (batch != 0) happened(batch);
  }

  // ---- calls -------------------------------------------------------------------------------------------------------------------

  @Override
  SingleThread enter() {
    if (polling.handle().closed()) throw new IllegalStateException("This consumer has already been closed.");
    return rule.enter();
  }

  private long call(Polling.Call call) {
    return polling.call(call);
  }

  @Override
  Object groupProtocol() {
    return settings.get("group.protocol");
  }

  @Override
  Map<String, Object> settings() {
    return settings;
  }

  @Override
  Duration apiTimeout() {
    return apiTimeout;
  }
}
