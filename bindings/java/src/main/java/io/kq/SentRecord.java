package io.kq;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.record.RecordBatch;

/** What a send gives: the future of one record.  The delivery thread completes it; any thread may wait for it. */
final class SentRecord implements Future<RecordMetadata> {
  private static final System.Logger LOGGER = System.getLogger(KqProducer.class.getName());

  private final String topic;
  private final int wantedPartition;
  private final int keySize;
  private final int valueSize;
  private final Acknowledgement acknowledgement; // null: nobody asked
  private Chunk chunk; // null once done

  private TopicPartition at;
  private long offset;
  private long timestamp;
  private RuntimeException failure;
  private volatile boolean done;
  private volatile boolean awaited;

  /** What else happens with the outcome, on the delivery thread: callbacks and interceptors. */
  interface Acknowledgement {
    void acknowledged(RecordMetadata metadata, RuntimeException failure);

    static Acknowledgement of(Callback callback) {
      return callback == null ? null : callback::onCompletion;
    }
  }

  SentRecord(String topic, int wantedPartition, int keySize, int valueSize, Acknowledgement acknowledgement) {
    this.topic = topic;
    this.wantedPartition = wantedPartition;
    this.keySize = keySize;
    this.valueSize = valueSize;
    this.acknowledgement = acknowledgement;
  }

  String topic() {
    return topic;
  }

  void gatheredIn(Chunk gathered) {
    chunk = gathered;
  }

  void delivered(TopicPartition partition, long deliveredOffset, long deliveredTimestamp) {
    at = partition;
    offset = deliveredOffset;
    timestamp = deliveredTimestamp;
    complete();
  }

  void failed(RuntimeException why) {
    at = new TopicPartition(topic, wantedPartition);
    offset = -1;
    timestamp = RecordBatch.NO_TIMESTAMP;
    failure = why;
    complete();
  }

  private void complete() {
    chunk = null;
    done = true; // volatile, as is awaited: either the waiter sees this, or this thread sees the waiter
    if (awaited) {
      synchronized (this) {
        notifyAll();
      }
    }
    if (acknowledgement != null) acknowledge();
  }

  private void acknowledge() {
    try {
      acknowledgement.acknowledged(metadata(), failure);
    } catch (Exception e) {
      LOGGER.log(System.Logger.Level.ERROR, "the callback of a record to " + at + " has failed", e);
    }
  }

  private RecordMetadata metadata() {
    if (failure != null) return new RecordMetadata(at, -1, -1, RecordBatch.NO_TIMESTAMP, -1, -1);
    return new RecordMetadata(at, offset, 0, timestamp, keySize, valueSize);
  }

  private RecordMetadata outcome() throws ExecutionException {
    if (failure != null) throw new ExecutionException(failure);
    return metadata();
  }

  @Override
  public RecordMetadata get() throws InterruptedException, ExecutionException {
    if (!done) {
      handOver();
      awaited = true;
      synchronized (this) {
        while (!done) wait();
      }
    }
    return outcome();
  }

  @Override
  public RecordMetadata get(long timeout, TimeUnit unit) throws InterruptedException, ExecutionException, TimeoutException {
    if (!done) {
      long deadline = System.nanoTime() + unit.toNanos(timeout);
      handOver();
      awaited = true;
      synchronized (this) {
        for (long left; !done; TimeUnit.NANOSECONDS.timedWait(this, left)) {
          left = deadline - System.nanoTime();
          if (left <= 0) throw new TimeoutException("no answer for the record within " + unit.toMillis(timeout) + " ms");
        }
      }
    }
    return outcome();
  }

  /** Who waits for a record does not wait for company as well. */
  private void handOver() {
    Chunk mine = chunk;
    if (mine != null) mine.handOver();
  }

  @Override
  public boolean cancel(boolean mayInterrupt) {
    return false;
  }

  @Override
  public boolean isCancelled() {
    return false;
  }

  @Override
  public boolean isDone() {
    return done;
  }
}
