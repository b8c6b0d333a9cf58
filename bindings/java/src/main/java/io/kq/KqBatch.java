package io.kq;

import io.kq.internal.Flat;
import io.kq.internal.Memory;
import io.kq.internal.Native;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/**
 * Records as they came from the broker: nothing is copied, no object is made for a record.  {@link KqConsumer#pollBatch} gives them.
 *
 * <pre>{@code
 * try (KqBatch batch = consumer.pollBatch(Duration.ofSeconds(1))) {
 *   for (int i = 0; i < batch.count(); i++) total += batch.value(i).getLong(0);
 * }
 * }</pre>
 *
 * <p>Its memory counts in fetch.buffer.memory until it is closed; a buffer that {@code key} or {@code value} has given keeps it until
 * the garbage collector has found that nobody has the buffer any more, so that a buffer never shows anything else; {@code keyBytes} and
 * {@code valueBytes} copy instead, and cost less where records are small.  One thread's at a time.
 */
public final class KqBatch implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();
  private static final int ROWS_MIN = 512;

  private final Held held;
  private final Cleaner.Cleanable cleanable;
  private final int count;
  private final ByteBuffer rows;
  private final List<Integer> turns = new ArrayList<>(); // the rows that a partition begins at
  private final List<TopicPartition> partitions = new ArrayList<>();
  private final Map<Long, ByteBuffer> windows = new HashMap<>(2);
  private int turn;
  private final Memory memory;
  private final AtomicReference<Scratch> spare;
  private boolean closed;

  /** The native batch, while somebody has it: this object, or a view. */
  private static final class Held implements Runnable {
    private final long batch;
    private final AtomicInteger holders = new AtomicInteger(1);

    Held(long batch) {
      this.batch = batch;
    }

    void hold() {
      holders.incrementAndGet();
    }

    @Override
    public void run() {
      if (holders.decrementAndGet() == 0) Native.kq_batch_free(batch);
    }
  }

  /** What the next batch can use again. */
  record Scratch(ByteBuffer rows, Memory memory) {}

  /** Takes the batch over; 0: an empty one.  `spare` is where the memory for its rows comes from, and goes. */
  KqBatch(long batch, AtomicReference<Scratch> spare) {
    held = new Held(batch);
    this.spare = spare;
    cleanable = CLEANER.register(this, held);
    count = (int) Native.kq_batch_count(batch);
    Scratch used = spare.getAndSet(null);
    boolean enough = used != null && used.rows().capacity() >= count * Flat.RECORD;
    rows = enough ? used.rows() : Flat.rows(Math.max(count, ROWS_MIN), Flat.RECORD);
    memory = used != null ? used.memory() : new Memory();
    if (count > 0) Native.kq_flat_records(batch, 0, rows);
    for (int i = 0; i < count; i++) {
      if ((rows.getInt(i * Flat.RECORD + Flat.RECORD_KIND) & Flat.KIND_TURN) == 0) continue;
      turns.add(i);
      partitions.add(new TopicPartition(Native.kq_flat_topic(batch, i), rows.getInt(i * Flat.RECORD + Flat.RECORD_PARTITION)));
    }
  }

  public int count() {
    return count;
  }

  public boolean isEmpty() {
    return count == 0;
  }

  public String topic(int index) {
    return topicPartition(index).topic();
  }

  public int partition(int index) {
    return rows.getInt(row(index) + Flat.RECORD_PARTITION);
  }

  public TopicPartition topicPartition(int index) {
    row(index);
    if (index < turns.get(turn)) turn = 0;
    while (turn + 1 < turns.size() && turns.get(turn + 1) <= index) turn++;
    return partitions.get(turn);
  }

  /** Where each partition goes on after this batch. */
  void noteNext(Map<TopicPartition, OffsetAndMetadata> next) {
    for (int i = 0; i < partitions.size(); i++) {
      int end = i + 1 < turns.size() ? turns.get(i + 1) : count;
      next.put(partitions.get(i), new OffsetAndMetadata(offset(end - 1) + 1));
    }
  }

  public long offset(int index) {
    return rows.getLong(row(index) + Flat.RECORD_OFFSET);
  }

  public long timestamp(int index) {
    return rows.getLong(row(index) + Flat.RECORD_TIMESTAMP);
  }

  /** The key where it lies, read-only; null: there is none. */
  public ByteBuffer key(int index) {
    int row = row(index);
    return view(rows.getLong(row + Flat.RECORD_KEY), rows.getInt(row + Flat.RECORD_KEY_LENGTH));
  }

  /** The value where it lies, read-only; null: a tombstone. */
  public ByteBuffer value(int index) {
    int row = row(index);
    return view(rows.getLong(row + Flat.RECORD_VALUE), rows.getInt(row + Flat.RECORD_VALUE_LENGTH));
  }

  /** A copy of the key, which keeps no memory of the batch's; null: there is none. */
  public byte[] keyBytes(int index) {
    int row = row(index);
    return memory.bytes(rows.getLong(row + Flat.RECORD_KEY), rows.getInt(row + Flat.RECORD_KEY_LENGTH));
  }

  /** A copy of the value, which keeps no memory of the batch's; null: a tombstone. */
  public byte[] valueBytes(int index) {
    int row = row(index);
    return memory.bytes(rows.getLong(row + Flat.RECORD_VALUE), rows.getInt(row + Flat.RECORD_VALUE_LENGTH));
  }

  private int row(int index) {
    if (closed) throw new IllegalStateException("this batch has already been closed");
    if (index < 0 || index >= count) throw new IndexOutOfBoundsException("record " + index + " of " + count);
    return index * Flat.RECORD;
  }

  private ByteBuffer view(long address, int length) {
    if (length < 0) return null;
    if (length == 0) return ByteBuffer.allocate(0).asReadOnlyBuffer();
    ByteBuffer window = windows.computeIfAbsent(Memory.window(address), this::window);
    return window.slice(Memory.within(address), length);
  }

  /** A view refers to the window that it was sliced from, so the window is gone after its last view. */
  private ByteBuffer window(long start) {
    ByteBuffer window = Native.kq_window_at(start);
    held.hold();
    CLEANER.register(window, held);
    return window.asReadOnlyBuffer();
  }

  /** Closing twice does nothing. */
  @Override
  public void close() {
    if (closed) return;
    closed = true;
    spare.set(new Scratch(rows, memory));
    windows.clear();
    cleanable.clean();
  }
}
