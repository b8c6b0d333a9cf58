package io.kq;

import io.kq.internal.Handle;
import io.kq.internal.Native;
import io.kq.internal.Settings;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerInterceptor;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.utils.Utils;

/**
 * A {@link Producer} over libkq: put it where {@code KafkaProducer} stood.  It takes the same configuration, throws the same
 * exceptions, and may be shared by threads.  What it does otherwise:
 *
 * <ul>
 *   <li>{@code send} fails through its future where a record waits for room or for its topic longer than max.block.ms; it does not
 *       throw then.
 *   <li>Callbacks run on a thread of this producer's, a daemon.
 *   <li>{@code metrics()} is empty, and {@code partitioner.class} is not there: set a record's partition instead.
 * </ul>
 */
public final class KqProducer<K, V> extends WithoutMetrics implements Producer<K, V> {
  private static final AtomicInteger COUNT = new AtomicInteger();
  private static final Header[] NO_HEADERS = {};
  private static final int SLICE_MS = 100; // how long a call waits in libkq before it looks whether its thread was interrupted
  private static final long GATHER_MS_MAX = 2;

  private final Serializer<K> keySerializer;
  private final Serializer<V> valueSerializer;
  private final List<ProducerInterceptor<K, V>> interceptors = new ArrayList<>();
  private final Map<String, Object> settings;
  private final Handle handle;
  private final Gathering gathering;
  private final Deliveries deliveries;
  private final long blockMillis;
  private final boolean transactional;
  private volatile boolean closed;
  private ClusterView cluster; // made when first asked for

  private enum Transaction { NOT_INITIALIZED, BEGUN_AHEAD, NONE, OPEN }

  private volatile Transaction transaction = Transaction.NOT_INITIALIZED;

  public KqProducer(Map<String, Object> configs) {
    this(configs, null, null);
  }

  public KqProducer(Properties properties) {
    this(KafkaSettings.map(properties), null, null);
  }

  public KqProducer(Properties properties, Serializer<K> keySerializer, Serializer<V> valueSerializer) {
    this(KafkaSettings.map(properties), keySerializer, valueSerializer);
  }

  /** With serializers that are ready; null: as configured. */
  @SuppressWarnings({"unchecked", "this-escape"})
  public KqProducer(Map<String, Object> configs, Serializer<K> keySerializer, Serializer<V> valueSerializer) {
    KafkaSettings given = new KafkaSettings(configs, ProducerConfig.configDef());
    this.keySerializer = keySerializer != null ? keySerializer : serializer(given, ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, true);
    this.valueSerializer = valueSerializer != null ? valueSerializer : serializer(given, ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, false);
    given.lookedAtBy(this.keySerializer);
    given.lookedAtBy(this.valueSerializer);
    for (Object each : KafkaSettings.list(given.get(ProducerConfig.INTERCEPTOR_CLASSES_CONFIG))) {
      interceptors.add(given.instance(ProducerConfig.INTERCEPTOR_CLASSES_CONFIG, each, ProducerInterceptor.class));
    }
    blockMillis = given.number(ProducerConfig.MAX_BLOCK_MS_CONFIG, 60_000);
    transactional = given.text(ProducerConfig.TRANSACTIONAL_ID_CONFIG) != null;
    long linger = given.number(ProducerConfig.LINGER_MS_CONFIG, given.number("queue.buffering.max.ms", 5));
    long gather = Math.min(linger / 2, GATHER_MS_MAX);
    long recordBytesMax = given.number(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, 1 << 20);
    settings = given.forKq(Map.of());
    Map<String, Object> mine = new HashMap<>(settings);
    mine.put("delivery.report", "all");
    mine.put("linger.ms", linger - gather);
    mine.remove("queue.buffering.max.ms");
    mine.put("max.block.ms", Math.min(blockMillis, SLICE_MS));
    long producer;
    try (Settings config = new Settings(mine)) {
      producer = Native.kq_producer_new(config.pointer());
    } catch (KqException e) {
      throw KafkaErrors.of(e);
    }
    int bell = Native.kq_bell_new();
    handle = new Handle(producer, "producer", pointer -> {
      Native.kq_producer_free(pointer);
      Native.kq_bell_free(bell);
    });
    gathering = new Gathering(handle, bell, gather, blockMillis, (int) Math.min(recordBytesMax, Integer.MAX_VALUE / 2));
    deliveries = new Deliveries(handle, gathering, bell, "kq-producer-" + COUNT.incrementAndGet());
  }

  @SuppressWarnings("unchecked")
  private static <T> Serializer<T> serializer(KafkaSettings given, String key, boolean isKey) {
    Serializer<T> serializer = given.instance(key, Serializer.class);
    serializer.configure(given.given(), isKey);
    return serializer;
  }

  // ---- sending -----------------------------------------------------------------------------------------------------------------

  @Override
  public Future<RecordMetadata> send(ProducerRecord<K, V> record) {
    return send(record, null);
  }

  @Override
  public Future<RecordMetadata> send(ProducerRecord<K, V> record, Callback callback) {
    Objects.requireNonNull(record, "the record is null");
    if (interceptors.isEmpty()) return gather(record, SentRecord.Acknowledgement.of(callback));
    ProducerRecord<K, V> sent = Interceptors.onSend(interceptors, record);
    return gather(sent, Interceptors.acknowledgement(interceptors, callback, sent.headers()));
  }

  private Future<RecordMetadata> gather(ProducerRecord<K, V> record, SentRecord.Acknowledgement acknowledgement) {
    if (transactional) checkInTransaction();
    String topic = record.topic();
    Headers headers = record.headers();
    byte[] key = serialize(keySerializer, topic, headers, record.key(), "key");
    byte[] value = serialize(valueSerializer, topic, headers, record.value(), "value");
    Header[] headerArray = headers.iterator().hasNext() ? headers.toArray() : NO_HEADERS;
    if (headers instanceof RecordHeaders mine) mine.setReadOnly();
    int partition = record.partition() == null ? -1 : record.partition();
    long timestamp = record.timestamp() == null ? -1 : record.timestamp();
    SentRecord sent = new SentRecord(topic, partition, length(key), length(value), acknowledgement);
    gathering.add(sent, partition, timestamp, key, value, headerArray);
    return sent;
  }

  private static int length(byte[] bytes) {
    return bytes == null ? -1 : bytes.length;
  }

  private static <T> byte[] serialize(Serializer<T> serializer, String topic, Headers headers, T data, String what) {
    try {
      return serializer.serialize(topic, headers, data);
    } catch (ClassCastException e) {
      throw new SerializationException("Can't convert " + what + " of class " + data.getClass().getName() + " with "
          + serializer.getClass().getName() + ": configure " + what + ".serializer for that class, or send what it takes", e);
    }
  }

  @Override
  public void flush() {
    if (deliveries.isCurrentThread()) {
      throw new KafkaException("flush() in a callback would wait for itself: call it on another thread");
    }
    checkOpen();
    flush(deadline(Long.MAX_VALUE));
  }

  /** False: the time is over first. */
  private boolean flush(long deadlineNanos) {
    gathering.handOver();
    if (!slices(deadlineNanos, producer -> Native.kq_producer_flush(producer, slice(deadlineNanos)))) return false;
    try {
      return deliveries.await(gathering.latest(), deadlineNanos);
    } catch (InterruptedException e) {
      throw new InterruptException(e);
    }
  }

  // ---- transactions ------------------------------------------------------------------------------------------------------------

  /**
   * Makes this producer the only one with its transactional.id, and ends what an earlier one has left open.  libkq does so when it
   * begins the first transaction, so that one begins here, and {@code beginTransaction} finds it open; no broker knows of it before its
   * first record.
   */
  @Override
  public void initTransactions() {
    checkTransactional();
    if (transaction != Transaction.NOT_INITIALIZED) {
      throw new IllegalStateException("initTransactions was called before; it is for a new producer");
    }
    transact("initTransactions", Native::kq_producer_begin);
    transaction = Transaction.BEGUN_AHEAD;
  }

  @Override
  public void beginTransaction() {
    checkTransactional();
    switch (transaction) {
      case NOT_INITIALIZED: throw new IllegalStateException("Cannot begin a transaction before initTransactions has been called");
      case OPEN: throw new IllegalStateException("A transaction is open already: commit or abort it first");
      case NONE: transact("beginTransaction", Native::kq_producer_begin); break;
      default: break;
    }
    transaction = Transaction.OPEN;
  }

  @Override
  public void sendOffsetsToTransaction(Map<TopicPartition, OffsetAndMetadata> offsets, ConsumerGroupMetadata groupMetadata) {
    Objects.requireNonNull(groupMetadata, "the group metadata is null: take KqConsumer.groupMetadata()");
    checkInTransaction();
    if (offsets.isEmpty()) return;
    byte[] flat = Offsets.flat(offsets);
    long group = Native.kq_group_metadata_new(groupMetadata.groupId(), groupMetadata.generationId(), groupMetadata.memberId(),
        groupMetadata.groupInstanceId().orElse(null));
    try {
      transact("sendOffsetsToTransaction", (producer, timeout) -> Native.kq_producer_send_offsets(producer, flat, group, timeout));
    } finally {
      Native.kq_group_metadata_free(group);
    }
  }

  @Override
  public void commitTransaction() {
    checkInTransaction();
    gathering.handOver();
    transact("commitTransaction", Native::kq_producer_commit);
    awaitCallbacks();
    transaction = Transaction.NONE;
  }

  @Override
  public void abortTransaction() {
    checkInTransaction();
    gathering.handOver();
    transact("abortTransaction", Native::kq_producer_abort);
    awaitCallbacks();
    transaction = Transaction.NONE;
  }

  private void awaitCallbacks() {
    if (deliveries.isCurrentThread()) return;
    try {
      deliveries.await(gathering.latest(), deadline(blockMillis));
    } catch (InterruptedException e) {
      throw new InterruptException(e);
    }
  }

  private interface TransactionCall {
    long call(long producer, int timeoutMillis);
  }

  /** What is late goes on, and the same call again takes it up. */
  private void transact(String what, TransactionCall call) {
    checkOpen();
    long deadline = deadline(blockMillis);
    if (!slices(deadline, producer -> call.call(producer, slice(deadline)))) {
      throw new TimeoutException(what + " has not ended within max.block.ms (" + blockMillis + "): call it again");
    }
  }

  private void checkTransactional() {
    if (!transactional) throw new IllegalStateException("transactional.id is not set: this producer has no transactions");
  }

  private void checkInTransaction() {
    checkTransactional();
    if (transaction == Transaction.OPEN) return;
    throw new IllegalStateException(transaction == Transaction.NOT_INITIALIZED
        ? "There is no transaction yet: call initTransactions, then beginTransaction"
        : "There is no open transaction: call beginTransaction first");
  }

  // ---- calls that wait ---------------------------------------------------------------------------------------------------------

  private interface Call {
    long call(long producer);
  }

  /** Calls again what has not ended in time, until the deadline.  False: it has not ended by then. */
  private boolean slices(long deadlineNanos, Call call) {
    while (true) {
      if (Thread.interrupted()) throw new InterruptException("interrupted while waiting for the cluster");
      long producer = handle.enter();
      try {
        call.call(producer);
        return true;
      } catch (KqException e) {
        if (e.verdict() != KqException.Verdict.RETRY) throw KafkaErrors.of(e);
        if (System.nanoTime() - deadlineNanos >= 0) return false;
        if (!e.name().equals("TIMED_OUT")) pause();
      } finally {
        handle.leave();
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(SLICE_MS / 2);
    } catch (InterruptedException e) {
      throw new InterruptException(e);
    }
  }

  private static long deadline(long millis) {
    long nanos = TimeUnit.MILLISECONDS.toNanos(millis);
    return System.nanoTime() + Math.min(nanos, Long.MAX_VALUE / 2);
  }

  private static int slice(long deadlineNanos) {
    return (int) Math.max(0, Math.min(SLICE_MS, TimeUnit.NANOSECONDS.toMillis(deadlineNanos - System.nanoTime())));
  }

  // ---- the rest ----------------------------------------------------------------------------------------------------------------

  @Override
  public List<PartitionInfo> partitionsFor(String topic) {
    Objects.requireNonNull(topic, "the topic is null");
    checkOpen();
    long deadline = deadline(blockMillis);
    if (!slices(deadline, producer -> Native.kq_producer_partition_count(producer, topic, slice(deadline)))) {
      throw new TimeoutException("Topic " + topic + " not present in metadata after " + blockMillis + " ms.");
    }
    return cluster().partitionsFor(topic, blockMillis);
  }

  private synchronized ClusterView cluster() {
    checkOpen();
    if (cluster == null) cluster = new ClusterView(settings);
    return cluster;
  }

  private void checkOpen() {
    if (closed) throw new IllegalStateException("Cannot perform operation after producer has been closed");
  }

  @Override
  public void close() {
    close(Duration.ofMillis(Long.MAX_VALUE));
  }

  /** Sends what there is, as far as the time allows; the rest fails.  An open transaction is aborted.  Closing twice does nothing. */
  @Override
  public void close(Duration timeout) {
    if (timeout.isNegative()) throw new IllegalArgumentException("The timeout cannot be negative.");
    synchronized (this) {
      if (closed) return;
      closed = true;
    }
    boolean inCallback = deliveries.isCurrentThread();
    long deadline = deadline(inCallback ? 0 : timeout.toMillis());
    InterruptException interrupted = null;
    try {
      if (!inCallback && transaction != Transaction.OPEN) flush(deadline);
    } catch (InterruptException e) {
      interrupted = e;
    } catch (RuntimeException e) {
      // The records' futures tell.
    }
    gathering.close(new IllegalStateException("Cannot perform operation after producer has been closed"));
    end(interrupted == null ? deadline : System.nanoTime());
    if (interrupted != null) {
      Thread.currentThread().interrupt();
      throw interrupted;
    }
  }

  private void end(long deadline) {
    try {
      long producer = handle.enter();
      try {
        long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
        Native.kq_producer_close(producer, (int) Math.max(0, Math.min(left, Integer.MAX_VALUE)));
      } finally {
        handle.leave();
      }
    } catch (KqException e) {
      // How many records were given up: each of their futures tells.
    }
    deliveries.stop();
    try {
      deliveries.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    handle.close();
    synchronized (this) {
      Utils.closeQuietly(cluster, "kq's administration");
    }
    interceptors.forEach(each -> Utils.closeQuietly(each, "producer interceptor"));
    Utils.closeQuietly(keySerializer, "key serializer");
    Utils.closeQuietly(valueSerializer, "value serializer");
  }
}
