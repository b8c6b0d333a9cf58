package io.kq;

import io.kq.internal.Native;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerInterceptor;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetCommitCallback;
import org.apache.kafka.common.TopicPartition;

/** A consumer's commits, and who waits for what becomes of them. */
final class Commits {
  private final Polling polling;
  private final List<? extends ConsumerInterceptor<?, ?>> interceptors;
  private final Map<Long, Pending> pending = new HashMap<>();
  private long tags;

  private record Pending(Map<TopicPartition, OffsetAndMetadata> offsets, OffsetCommitCallback callback) {}

  Commits(Polling polling, List<? extends ConsumerInterceptor<?, ?>> interceptors) {
    this.polling = polling;
    this.interceptors = interceptors;
  }

  void commit(Map<TopicPartition, OffsetAndMetadata> offsets, Duration timeout) {
    if (offsets.isEmpty()) return;
    polling.checkInterruptions();
    byte[] flat = Offsets.flat(offsets);
    long consumer = polling.handle().enter();
    try {
      Native.kq_consumer_commit(consumer, flat, (int) Polling.millis(timeout));
    } catch (KqException e) {
      throw KafkaErrors.ofCommit(e);
    } finally {
      polling.handle().leave();
    }
    Interceptors.onCommit(interceptors, offsets);
  }

  void commitAsync(Map<TopicPartition, OffsetAndMetadata> offsets, OffsetCommitCallback callback) {
    Map<TopicPartition, OffsetAndMetadata> wanted = Map.copyOf(offsets);
    if (wanted.isEmpty()) {
      if (callback != null) callback.onComplete(wanted, null);
      return;
    }
    byte[] flat = Offsets.flat(wanted);
    long tag = ++tags;
    polling.call(consumer -> Native.kq_consumer_commit_async(consumer, flat, tag));
    pending.put(tag, new Pending(wanted, callback));
  }

  boolean anyPending() {
    return !pending.isEmpty();
  }

  /** An event says what became of one. */
  void ended(long batch) {
    Pending[] commit = new Pending[1];
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
}
