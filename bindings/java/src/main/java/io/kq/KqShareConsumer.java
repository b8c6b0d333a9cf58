package io.kq;

import io.kq.internal.BatchKind;
import io.kq.internal.Event;
import io.kq.internal.Handle;
import io.kq.internal.Native;
import io.kq.internal.Rows;
import io.kq.internal.Settings;
import java.lang.ref.Cleaner;
import java.time.Duration;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.AcknowledgementCommitCallback;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.errors.InvalidGroupIdException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.utils.Utils;

/**
 * A {@link ShareConsumer} over libkq: put it where {@code KafkaShareConsumer} stood.  It takes the same configuration, throws the same
 * exceptions, and is one thread's at a time; {@link #wakeup} alone may be called from others.
 *
 * <p>With {@code share.acknowledgement.mode=implicit}, the default, what a poll has given is accepted by the next one, or by a commit.
 * With {@code explicit} each record is acknowledged by a call before the next poll; one that is renewed is given by that poll again.
 * What it does otherwise: {@code metrics()} is empty, and {@code wakeup} ends a poll, while a commit ends by its own time-out.
 */
public final class KqShareConsumer<K, V> extends WithoutMetrics implements ShareConsumer<K, V> {
  private static final System.Logger LOGGER = System.getLogger(KqShareConsumer.class.getName());
  private static final Cleaner CLEANER = Cleaner.create();
  private static final String MODE = "share.acknowledgement.mode";
  private static final Duration CLOSE = Duration.ofSeconds(30);
  private static final List<String> NOT_FOR_SHARE_GROUPS = List.of("auto.offset.reset", "enable.auto.commit", "group.instance.id",
      "isolation.level", "partition.assignment.strategy", "interceptor.classes", "session.timeout.ms", "heartbeat.interval.ms",
      "group.protocol", "group.remote.assignor");

  private final Deserializer<K> keys;
  private final Deserializer<V> values;
  private final Map<String, Object> settings;
  private final boolean explicit;
  private final Duration apiTimeout;
  private final Polling polling;
  private final SingleThread rule = new SingleThread("KqShareConsumer");
  private final Unpacking<K, V> unpacking;
  private final AcknowledgementOutcomes outcomes;
  private InFlight<K, V> inFlight = new InFlight<>(0);
  private Set<String> topics = Set.of();
  private int commits; // that the callback has not heard of
  private ClusterView cluster; // made when a topic's id is asked for

  public KqShareConsumer(Map<String, Object> configs) {
    this(configs, null, null);
  }

  public KqShareConsumer(Properties properties) {
    this(KafkaSettings.map(properties), null, null);
  }

  public KqShareConsumer(Properties properties, Deserializer<K> keyDeserializer, Deserializer<V> valueDeserializer) {
    this(KafkaSettings.map(properties), keyDeserializer, valueDeserializer);
  }

  /** With deserializers that are ready; null: as configured. */
  public KqShareConsumer(Map<String, Object> configs, Deserializer<K> keyDeserializer, Deserializer<V> valueDeserializer) {
    KafkaSettings given = new KafkaSettings(configs, ConsumerConfig.configDef());
    for (String key : NOT_FOR_SHARE_GROUPS) {
      if (given.get(key) != null) throw new ConfigException(key + " cannot be set when using a share group.");
    }
    keys = keyDeserializer != null ? keyDeserializer : given.deserializer(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, true);
    values = valueDeserializer != null ? valueDeserializer : given.deserializer(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, false);
    given.lookedAtBy(keys);
    given.lookedAtBy(values);
    String groupId = given.text(ConsumerConfig.GROUP_ID_CONFIG);
    if (groupId == null || groupId.isEmpty()) throw new InvalidGroupIdException("You must provide a valid group.id in the consumer configuration.");
    explicit = explicit(given.text(MODE));
    apiTimeout = Duration.ofMillis(given.number(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, 60_000));
    settings = given.forKq(Map.of(MODE, "explicit")); // InFlight says what is accepted
    unpacking = new Unpacking<>(keys, values);
    Handle handle;
    try (Settings config = new Settings(settings)) {
      handle = new Handle(Native.kq_share_consumer_new(config.pointer()), "share consumer", Native::kq_share_consumer_free);
    } catch (KqException e) {
      throw KafkaErrors.of(e);
    }
    CLEANER.register(this, handle);
    polling = new Polling(handle, Native::kq_share_consumer_poll, Native::kq_share_consumer_wakeup);
    outcomes = new AcknowledgementOutcomes(this::topicId);
  }

  private static boolean explicit(String mode) {
    switch (mode == null ? "implicit" : mode.toLowerCase(Locale.ROOT)) {
      case "implicit": return false;
      case "explicit": return true;
      default: throw new ConfigException(MODE, mode, "it is implicit or explicit");
    }
  }

  // ---- what to read ------------------------------------------------------------------------------------------------------------

  @Override
  public Set<String> subscription() {
    try (SingleThread turn = enter()) {
      return topics;
    }
  }

  @Override
  public void subscribe(Collection<String> wanted) {
    try (SingleThread turn = enter()) {
      Subscription.check(wanted);
      if (wanted.isEmpty()) {
        unsubscribe();
        return;
      }
      polling.call(consumer -> Native.kq_share_consumer_subscribe(consumer, wanted.toArray(String[]::new)));
      topics = Collections.unmodifiableSet(new LinkedHashSet<>(wanted));
    }
  }

  @Override
  public void unsubscribe() {
    try (SingleThread turn = enter()) {
      polling.call(Native::kq_share_consumer_unsubscribe);
      topics = Set.of();
    }
  }

  // ---- polling -----------------------------------------------------------------------------------------------------------------

  @Override
  public ConsumerRecords<K, V> poll(Duration timeout) {
    try (SingleThread turn = enter()) {
      if (timeout.isNegative()) throw new IllegalArgumentException("The timeout cannot be negative: " + timeout);
      if (!explicit) inFlight.acceptOpen();
      if (inFlight.hasOpen()) throw new IllegalStateException("All records must be acknowledged in explicit acknowledgement mode.");
      if (topics.isEmpty()) throw new IllegalStateException("Consumer is not subscribed to any topics.");
      sendSaid();
      if (inFlight.hasMore()) return handOut();
      if (inFlight.hasRenewed()) {
        confirm(timeout);
        if (inFlight.hasRenewed()) return inFlight.takeRenewed();
      }
      return polling.until(timeout, ConsumerRecords.empty(), this::taken);
    }
  }

  /** Tells libkq what was said, which goes out with the next fetch, or by itself where the callback is to hear of it. */
  private void sendSaid() {
    boolean some = inFlight.hasUnsent();
    sendAll();
    if (some && outcomes.wanted()) commitLater();
    outcomes.tellRefused();
  }

  private void sendAll() {
    polling.call(consumer -> {
      inFlight.send(consumer, outcomes::refused);
      return 0;
    });
  }

  private void commitLater() {
    polling.call(consumer -> Native.kq_share_consumer_commit_async(consumer, 1));
    commits++;
  }

  private ConsumerRecords<K, V> taken(long batch) {
    if (Native.kq_batch_kind_of(batch) != BatchKind.KQ_RECORDS) return happened(batch);
    inFlight.close();
    inFlight = new InFlight<>(batch);
    return handOut();
  }

  /** Null: an event holds no records. */
  private ConsumerRecords<K, V> happened(long batch) {
    try {
      if (Native.kq_batch_event(batch) != Event.KQ_ACKNOWLEDGED) return null;
      if (Native.kq_batch_count(batch) > 0 && Unpacking.tag(batch) != 0) commits--;
      outcomes.ofEvent(batch);
      return null;
    } finally {
      Native.kq_batch_free(batch);
    }
  }

  /** What of the batch was not handed out.  One that cannot be deserialized is an exception, when it comes first. */
  private ConsumerRecords<K, V> handOut() {
    ConsumerRecords<K, V> records = unpacking.unpack(inFlight.batch(), inFlight.given());
    inFlight.give(unpacking.end());
    if (records.isEmpty() && unpacking.failure() != null) {
      inFlight.skip();
      throw unpacking.failure();
    }
    if (explicit) inFlight.keep(records);
    return records;
  }

  @Override
  public void wakeup() {
    polling.wakeup();
  }

  @Override
  public Optional<Integer> acquisitionLockTimeoutMs() {
    try (SingleThread turn = enter()) {
      int millis = (int) polling.call(Native::kq_share_consumer_lock_timeout_ms);
      return millis < 0 ? Optional.empty() : Optional.of(millis);
    }
  }

  // ---- acknowledging -----------------------------------------------------------------------------------------------------------

  @Override
  public void acknowledge(ConsumerRecord<K, V> record) {
    acknowledge(record, AcknowledgeType.ACCEPT);
  }

  @Override
  public void acknowledge(ConsumerRecord<K, V> record, AcknowledgeType type) {
    acknowledge(record.topic(), record.partition(), record.offset(), type);
  }

  @Override
  public void acknowledge(String topic, int partition, long offset, AcknowledgeType type) {
    if (type == null) throw new IllegalArgumentException("the type of an acknowledgement is null");
    try (SingleThread turn = enter()) {
      if (!explicit) throw new IllegalStateException("Implicit acknowledgement of delivery is being used.");
      if (!inFlight.say(topic, partition, offset, type.id)) throw new IllegalStateException("The record cannot be acknowledged.");
    }
  }

  @Override
  public Map<TopicIdPartition, Optional<KafkaException>> commitSync() {
    return commitSync(apiTimeout);
  }

  @Override
  public Map<TopicIdPartition, Optional<KafkaException>> commitSync(Duration timeout) {
    try (SingleThread turn = enter()) {
      if (!explicit) inFlight.acceptOpen();
      polling.checkInterruptions();
      return confirm(timeout);
    }
  }

  /** Sends what was said and waits for the answers. */
  private Map<TopicIdPartition, Optional<KafkaException>> confirm(Duration timeout) {
    sendAll();
    try (Rows rows = new Rows(polling.call(consumer -> Native.kq_share_consumer_commit(consumer, (int) Polling.millis(timeout))))) {
      for (int row = 0; row < rows.count(); row++) {
        if (rows.error(row) == null) continue;
        inFlight.lost(rows.text(row, "topic"), (int) rows.number(row, "partition"), rows.number(row, "first_offset"), rows.number(row, "last_offset"));
      }
      return outcomes.ofCommit(rows);
    }
  }

  @Override
  public void commitAsync() {
    try (SingleThread turn = enter()) {
      if (!explicit) inFlight.acceptOpen();
      boolean some = inFlight.hasUnsent();
      sendAll();
      if (some) commitLater();
      outcomes.tellRefused();
    }
  }

  /** The callback runs in a later poll, or in close. */
  @Override
  public void setAcknowledgementCommitCallback(AcknowledgementCommitCallback callback) {
    try (SingleThread turn = enter()) {
      outcomes.callback(callback);
    }
  }

  private Uuid topicId(String topic) {
    if (cluster == null) cluster = new ClusterView(settings);
    return cluster.topicId(topic, apiTimeout.toMillis());
  }

  // ---- closing -----------------------------------------------------------------------------------------------------------------

  @Override
  public void close() {
    close(CLOSE);
  }

  /** Sends what was acknowledged, releases what was not, and leaves the group.  Closing twice does nothing. */
  @Override
  public void close(Duration timeout) {
    if (timeout.isNegative()) throw new IllegalArgumentException("The timeout cannot be negative.");
    try (SingleThread turn = rule.enter()) {
      if (polling.handle().closed()) return;
      long deadline = Polling.deadline(Polling.millis(timeout));
      RuntimeException failure = null;
      try {
        endAcknowledgements(deadline);
      } catch (RuntimeException e) {
        failure = e;
      }
      try {
        polling.call(consumer -> Native.kq_share_consumer_close(consumer, Polling.millisUntil(deadline)));
      } catch (RuntimeException e) {
        LOGGER.log(System.Logger.Level.WARNING, "the share consumer has closed, but: " + e.getMessage());
      } finally {
        polling.handle().close();
        inFlight.close();
        Utils.closeQuietly(cluster, "kq's administration");
        Utils.closeQuietly(keys, "key deserializer");
        Utils.closeQuietly(values, "value deserializer");
      }
      if (failure != null) throw failure;
    }
  }

  /** The callback hears of all that was said. */
  private void endAcknowledgements(long deadline) {
    sendAll();
    outcomes.tellRefused();
    if (!outcomes.wanted()) return;
    while (commits > 0 && Polling.millisUntil(deadline) > 0) {
      long batch = polling.next(Math.min(Polling.SLICE_MS, Polling.millisUntil(deadline)));
      if (batch != 0) happened(batch); // records that come now are released by the close
    }
    try (Rows rows = new Rows(polling.call(consumer -> Native.kq_share_consumer_commit(consumer, Polling.millisUntil(deadline))))) {
      outcomes.ofLastCommit(rows);
    }
  }

  private SingleThread enter() {
    if (polling.handle().closed()) throw new IllegalStateException("This consumer has already been closed.");
    SingleThread turn = rule.enter();
    if (!outcomes.inCallback()) return turn;
    turn.close();
    throw new IllegalStateException("KqShareConsumer methods are not accessible from user-defined acknowledgement commit callback.");
  }
}
