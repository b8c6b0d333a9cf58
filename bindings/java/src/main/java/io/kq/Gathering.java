package io.kq;

import io.kq.internal.Flat;
import io.kq.internal.Handle;
import io.kq.internal.Native;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;

/**
 * Gathers serialized records in a direct buffer, laid out as native/flat.h says, and hands them to libkq many at a time: when there
 * are enough of them, when somebody waits for one, and otherwise when the first of them has lingered.
 *
 * <p>Any thread may add; the delivery thread hands over what lingers.  A thread that adds waits while libkq has no room, up to
 * max.block.ms; the delivery thread never waits, since it is the one that makes room.
 */
final class Gathering {
  private static final int BYTES = 128 << 10;
  private static final int BYTES_FULL = 64 << 10;
  private static final boolean MAY_WAIT = true;

  private final Handle handle;
  private final int bell;
  private final long lingerNanos;
  private final long blockNanos;
  private final int recordBytesMax;

  private final ReentrantLock lock = new ReentrantLock();
  final ConcurrentHashMap<Long, Chunk> chunks = new ConcurrentHashMap<>();
  private ByteBuffer buffer = allocate(BYTES);
  private Chunk chunk = new Chunk(0, this);
  private int handed; // of the chunk's records, those that libkq has
  private int limit; // of the buffer
  private String topic; // whose name stands in the buffer, and where
  private int topicAt;
  private long firstNanos; // when the first record was gathered
  private long blockedNanos; // when libkq first had no room for one of them; 0: it has
  private volatile boolean empty = true;
  private volatile boolean bellWanted;
  private RuntimeException closed; // why no more records are taken; null: they are

  Gathering(Handle handle, int bell, long lingerMillis, long blockMillis, int recordBytesMax) {
    this.handle = handle;
    this.bell = bell;
    this.lingerNanos = TimeUnit.MILLISECONDS.toNanos(lingerMillis);
    this.blockNanos = TimeUnit.MILLISECONDS.toNanos(blockMillis);
    this.recordBytesMax = recordBytesMax;
  }

  private static ByteBuffer allocate(int size) {
    return ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
  }

  // ---- the sending side --------------------------------------------------------------------------------------------------------

  /** Adds a record.  One that is too large fails; one for which there is no room waits for it. */
  void add(SentRecord record, int partition, long timestamp, byte[] key, byte[] value, Header[] headers) {
    long size = Flat.SENT_HEAD + size(key) + size(value);
    byte[][] keys = headers.length == 0 ? null : new byte[headers.length][];
    for (int i = 0; i < headers.length; i++) {
      keys[i] = Flat.topic(headers[i].key());
      size += Flat.SENT_HEADER_HEAD + keys[i].length + size(headers[i].value());
    }
    if (size - Flat.SENT_HEAD > recordBytesMax) {
      record.failed(new RecordTooLargeException("The record is " + (size - Flat.SENT_HEAD)
          + " bytes when serialized, which is larger than " + recordBytesMax + ", the max.request.size."));
      return;
    }
    lock.lock();
    try {
      if (closed != null) throw closed();
      byte[] name = record.topic().equals(topic) ? null : Flat.topic(record.topic());
      if (!roomFor(size + (name == null ? 0 : name.length + 1))) {
        handOverAll(MAY_WAIT);
        if (name == null) name = Flat.topic(record.topic());
        reserve(size + name.length + 1);
      }
      write(record, (int) size, name, partition, timestamp, key, value, headers, keys);
      chunk.add(record);
      if (chunk.count() == 1) begun();
      if (full()) handOverAll(!MAY_WAIT);
    } finally {
      lock.unlock();
    }
  }

  private static long size(byte[] bytes) {
    return bytes == null ? 0 : bytes.length;
  }

  private static int length(byte[] bytes) {
    return bytes == null ? -1 : bytes.length;
  }

  private boolean roomFor(long size) {
    if (limit == 0) reserve(size);
    return chunk.count() < Chunk.RECORDS_MAX && limit + size <= buffer.capacity();
  }

  private boolean full() {
    return chunk.count() == Chunk.RECORDS_MAX || limit >= BYTES_FULL;
  }

  private void reserve(long size) {
    if (size > buffer.capacity()) buffer = allocate((int) size);
  }

  private void write(SentRecord record, int size, byte[] name, int partition, long timestamp, byte[] key, byte[] value,
                     Header[] headers, byte[][] keys) {
    ByteBuffer into = buffer;
    int at = limit;
    if (name != null) {
      topic = record.topic();
      topicAt = at + size;
      into.put(topicAt, name).put(topicAt + name.length, (byte) 0);
      size += name.length + 1;
    }
    into.putInt(at, size).putInt(at + 4, topicAt).putInt(at + 8, partition).putInt(at + 12, length(key)).putInt(at + 16, length(value));
    into.putInt(at + 20, headers.length).putLong(at + 24, timestamp);
    int next = at + Flat.SENT_HEAD;
    next = put(next, key);
    next = put(next, value);
    for (int i = 0; i < headers.length; i++) {
      byte[] headerValue = headers[i].value();
      into.putInt(next, keys[i].length).putInt(next + 4, length(headerValue));
      next = put(next + Flat.SENT_HEADER_HEAD, keys[i]);
      next = put(next, headerValue);
    }
    limit = at + size;
  }

  private int put(int at, byte[] bytes) {
    if (bytes == null) return at;
    buffer.put(at, bytes);
    return at + bytes.length;
  }

  /** The chunk has its first record: it is known by its number from now on, and will be handed over. */
  private void begun() {
    chunks.put(chunk.number, chunk);
    firstNanos = System.nanoTime();
    empty = false;
    if (bellWanted) {
      bellWanted = false;
      Native.kq_bell_ring(bell);
    }
  }

  // ---- handing over ------------------------------------------------------------------------------------------------------------

  /** Hands over what is gathered, and waits for room. */
  void handOver() {
    lock.lock();
    try {
      handOverAll(MAY_WAIT);
    } finally {
      lock.unlock();
    }
  }

  /** The same, as long as it is this chunk. */
  void handOver(Chunk wanted) {
    lock.lock();
    try {
      if (chunk == wanted) handOverAll(MAY_WAIT);
    } finally {
      lock.unlock();
    }
  }

  /** What has lingered, without waiting for anything: not even for a thread that is about it.  Returns how long to wait for the rest. */
  int handOverLingering() {
    if (!lock.tryLock()) return 1;
    try {
      if (chunk.count() == 0) return 0;
      long left = firstNanos + lingerNanos - System.nanoTime();
      if (left > 0) return (int) TimeUnit.NANOSECONDS.toMillis(left) + 1;
      return handOverAll(!MAY_WAIT) ? 0 : 1;
    } finally {
      lock.unlock();
    }
  }

  /** No more records, and what libkq has not got by then fails. */
  void close(RuntimeException why) {
    lock.lock();
    try {
      if (closed == null) closed = why;
      while (handed < chunk.count()) fail(chunk, handed++, why);
      startAnew();
    } finally {
      lock.unlock();
    }
  }

  /** An exception with a stack of its own. */
  private RuntimeException closed() {
    return closed instanceof IllegalStateException ? new IllegalStateException(closed.getMessage(), closed)
        : new KafkaException(closed.getMessage(), closed);
  }

  /** True: all of it is libkq's, or has failed.  With the lock held. */
  private boolean handOverAll(boolean mayWait) {
    while (handed < chunk.count()) {
      boolean late = blockedNanos != 0 && System.nanoTime() - blockedNanos >= blockNanos;
      try {
        handed += handOverSome(mayWait && !late);
      } catch (KqException e) {
        if (e.verdict() != KqException.Verdict.RETRY || late) {
          fail(chunk, handed++, KafkaErrors.ofSend(e));
          continue;
        }
        if (blockedNanos == 0) blockedNanos = System.nanoTime();
        if (!mayWait) return false;
        if (Thread.interrupted()) throw new InterruptException("interrupted while waiting for room to send");
      }
    }
    startAnew();
    return true;
  }

  private int handOverSome(boolean mayWait) {
    long producer = handle.enter();
    try {
      return (int) Native.kq_flat_send(producer, buffer, chunk.firstTag(), handed, chunk.count(), mayWait ? 1 : 0);
    } finally {
      handle.leave();
    }
  }

  private void startAnew() {
    if (chunk.count() == 0) return;
    if (chunk.sealed()) chunks.remove(chunk.number);
    chunk = new Chunk(chunk.number + 1, this);
    handed = 0;
    limit = 0;
    topic = null;
    blockedNanos = 0;
    empty = true;
  }

  private void fail(Chunk of, int place, RuntimeException why) {
    SentRecord record = of.take(place);
    if (of.done(1)) chunks.remove(of.number);
    record.failed(why);
  }

  // ---- the delivery thread's side ----------------------------------------------------------------------------------------------

  /** Whether to wait for the bell: nothing is gathered, and the next record will ring it. */
  boolean listen() {
    bellWanted = true;
    if (empty) return true;
    bellWanted = false;
    return false;
  }

  /** Nothing more is on its way through here up to and with this chunk. */
  boolean settled(long number) {
    for (Long each : chunks.keySet()) if (each <= number) return false;
    return true;
  }

  /** The latest chunk that was handed over. */
  long latest() {
    lock.lock();
    try {
      return chunk.number - 1;
    } finally {
      lock.unlock();
    }
  }
}
