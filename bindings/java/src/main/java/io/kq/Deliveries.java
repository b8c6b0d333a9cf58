package io.kq;

import io.kq.internal.Flat;
import io.kq.internal.Handle;
import io.kq.internal.Native;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/** The thread of a producer that hands over what lingers, takes deliveries from libkq, and completes their records. */
final class Deliveries implements Runnable {
  private static final System.Logger LOGGER = System.getLogger(KqProducer.class.getName());
  private static final int ROWS = 1024;
  private static final int FOREVER = -1;
  private static final int STOPPING_WAIT_MS = 10;
  private static final int STOPPING_WAITS_MAX = 100;

  private final Handle handle;
  private final Gathering gathering;
  private final int bell;
  private final ByteBuffer rows = Flat.rows(ROWS, Flat.DELIVERY);
  private final Object progress = new Object();
  private volatile int awaiting;
  private volatile boolean stopping;
  private final Thread thread;

  private Chunk chunk; // the latest record's, and how many of it are done and not yet counted
  private int uncounted;
  private TopicPartition at;

  Deliveries(Handle handle, Gathering gathering, int bell, String name) {
    this.handle = handle;
    this.gathering = gathering;
    this.bell = bell;
    thread = new Thread(this, name);
    thread.setDaemon(true);
    thread.start();
  }

  boolean isCurrentThread() {
    return Thread.currentThread() == thread;
  }

  @Override
  public void run() {
    RuntimeException end = new KafkaException("The producer was closed before the record was acknowledged.");
    try {
      int wait = 0;
      int idle = 0;
      while (!handle.closed() && (!stopping || (!gathering.chunks.isEmpty() && idle < STOPPING_WAITS_MAX))) {
        if (wait == 0) wait = gathering.listen() ? FOREVER : 0;
        idle = take(stopping ? STOPPING_WAIT_MS : wait) ? 0 : idle + 1;
        wait = gathering.handOverLingering();
      }
    } catch (KqException e) {
      end = KafkaErrors.of(e);
    } catch (RuntimeException | Error e) {
      end = new KafkaException("the producer's delivery thread has failed", e);
      LOGGER.log(System.Logger.Level.ERROR, end.getMessage(), e);
    } finally {
      gathering.close(end);
      for (Chunk each : gathering.chunks.values()) each.abandon(end);
      gathering.chunks.clear();
      told();
    }
  }

  /** Waits for deliveries, and completes their records; false: there were none. */
  private boolean take(int timeoutMillis) {
    long producer = handle.enter();
    long batch = 0;
    try {
      batch = Native.kq_flat_await(producer, bell, timeoutMillis);
      if (batch == 0) return false;
      long first = 0;
      for (int count; (count = Native.kq_flat_deliveries(batch, first, rows)) > 0; first += count) complete(batch, first, count);
    } finally {
      Native.kq_batch_free(batch);
      handle.leave();
    }
    countDone();
    told();
    return true;
  }

  private void complete(long batch, long first, int count) {
    for (int i = 0, row = 0; i < count; i++, row += Flat.DELIVERY) {
      long tag = rows.getLong(row + Flat.DELIVERY_TAG);
      SentRecord record = chunkOf(tag).take((int) tag & (Chunk.RECORDS_MAX - 1));
      uncounted++;
      if (rows.getInt(row + Flat.DELIVERY_FAILED) != 0) {
        record.failed(KafkaErrors.ofSend(Native.kq_batch_error(batch, first + i)));
      } else {
        TopicPartition partition = at(record.topic(), rows.getInt(row + Flat.DELIVERY_PARTITION));
        record.delivered(partition, rows.getLong(row + Flat.DELIVERY_OFFSET), rows.getLong(row + Flat.DELIVERY_TIMESTAMP));
      }
    }
  }

  private Chunk chunkOf(long tag) {
    long number = tag >>> Chunk.RECORDS_BITS;
    if (chunk == null || chunk.number != number) {
      countDone();
      chunk = gathering.chunks.get(number);
    }
    return chunk;
  }

  /** Records count as done only when their callbacks have returned, so that flush waits for these. */
  private void countDone() {
    if (uncounted > 0 && chunk.done(uncounted)) {
      gathering.chunks.remove(chunk.number);
      chunk = null;
    }
    uncounted = 0;
  }

  private TopicPartition at(String topic, int partition) {
    if (at == null || at.partition() != partition || !at.topic().equals(topic)) at = new TopicPartition(topic, partition);
    return at;
  }

  private void told() {
    if (awaiting == 0) return;
    synchronized (progress) {
      progress.notifyAll();
    }
  }

  /** Waits until all chunks up to this one are done, their callbacks included.  False: the time is over first. */
  boolean await(long chunkNumber, long deadlineNanos) throws InterruptedException {
    synchronized (progress) {
      awaiting++;
      try {
        for (long left; !gathering.settled(chunkNumber); TimeUnit.NANOSECONDS.timedWait(progress, left)) {
          left = deadlineNanos - System.nanoTime();
          if (left <= 0) return false;
        }
        return true;
      } finally {
        awaiting--;
      }
    }
  }

  /** Ends the thread once every record is done. */
  void stop() {
    stopping = true;
    Native.kq_bell_ring(bell);
  }

  void join() throws InterruptedException {
    if (!isCurrentThread()) thread.join();
  }
}
