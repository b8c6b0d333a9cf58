package io.kq;

import io.kq.internal.Acknowledge;
import io.kq.internal.Flat;
import io.kq.internal.Native;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.common.TopicPartition;

/**
 * The records of a share consumer's last batch, and what the program has said of each: told to libkq in runs, when Kafka's consumer
 * would tell its broker.  Until then the program may say something else.
 */
final class InFlight<K, V> implements AutoCloseable {
  private static final byte NOTHING = 0;
  private static final byte DONE = -1; // told to libkq, and not to be acknowledged any more
  private static final int ROWS = 512;

  private final long batch;
  private final long[] offsets;
  private final byte[] said;
  private final List<TopicPartition> partitions = new ArrayList<>(); // of runs of rows
  private final List<Integer> starts = new ArrayList<>();
  private final Map<Integer, ConsumerRecord<K, V>> renewed = new LinkedHashMap<>(); // their locks have begun anew, they are to be given again
  private final ConsumerRecord<K, V>[] records; // in explicit mode, by row: for what is renewed
  private int given; // rows before this were handed out, or could not be
  private int open; // of these, nothing was said
  private int unsent; // something was said
  private int guess; // the next one to be acknowledged, if it goes in order

  /** Takes the batch over; 0: an empty one. */
  @SuppressWarnings("unchecked")
  InFlight(long batch) {
    this.batch = batch;
    int count = (int) Native.kq_batch_count(batch);
    offsets = new long[count];
    said = new byte[count];
    records = (ConsumerRecord<K, V>[]) new ConsumerRecord<?, ?>[count];
    ByteBuffer rows = count == 0 ? null : Flat.rows(Math.min(count, ROWS), Flat.RECORD);
    for (int first = 0; first < count; ) {
      int some = Native.kq_flat_records(batch, first, rows);
      for (int i = 0; i < some; i++) {
        int row = i * Flat.RECORD;
        offsets[first + i] = rows.getLong(row + Flat.RECORD_OFFSET);
        if ((rows.getInt(row + Flat.RECORD_KIND) & Flat.KIND_TURN) == 0) continue;
        partitions.add(new TopicPartition(Native.kq_flat_topic(batch, first + i), rows.getInt(row + Flat.RECORD_PARTITION)));
        starts.add(first + i);
      }
      first += some;
    }
  }

  long batch() {
    return batch;
  }

  int given() {
    return given;
  }

  boolean hasMore() {
    return given < offsets.length;
  }

  /** Nothing was said of some that were handed out. */
  boolean hasOpen() {
    return open > 0;
  }

  /** Something was said that libkq does not know. */
  boolean hasUnsent() {
    return unsent > 0;
  }

  /** Rows were handed out, up to one of them. */
  void give(long until) {
    open += (int) until - given;
    given = (int) until;
  }

  /** Remembers the records, which a renewal gives again. */
  void keep(ConsumerRecords<K, V> handedOut) {
    for (ConsumerRecord<K, V> record : handedOut) records[find(record.topic(), record.partition(), record.offset())] = record;
  }

  /** The next one cannot be read: it goes to somebody else, unless the program says otherwise. */
  void skip() {
    give(given + 1);
    say(given - 1, Acknowledge.KQ_RELEASE);
  }

  /** False: it is not held, or is done with. */
  boolean say(String topic, int partition, long offset, int how) {
    int row = find(topic, partition, offset);
    if (row < 0 || row >= given || said[row] == DONE) return false;
    say(row, how);
    return true;
  }

  private void say(int row, int how) {
    if (said[row] == NOTHING) {
      open--;
      unsent++;
    }
    said[row] = (byte) how;
    renewed.remove(row);
    guess = row + 1;
  }

  void acceptOpen() {
    for (int row = 0; open > 0; row++) {
      if (said[row] == NOTHING) say(row, Acknowledge.KQ_ACCEPT);
    }
  }

  interface Refusal {
    void is(TopicPartition partition, long offset, KqException why);
  }

  /** Tells libkq.  Those that are renewed stay, to be given again; those that are not held any more are refused. */
  void send(long consumer, Refusal refusal) {
    for (int row = 0; unsent > 0; ) {
      byte how = said[row];
      int end = row + 1;
      while (end < given && said[end] == how) end++;
      if (how != NOTHING && how != DONE) tell(consumer, row, end, how, refusal);
      row = end;
    }
  }

  private void tell(long consumer, int row, int end, byte how, Refusal refusal) {
    unsent -= end - row;
    Arrays.fill(said, row, end, DONE);
    try {
      Native.kq_share_consumer_acknowledge(consumer, batch, row, end - row, how);
    } catch (KqException.Refused e) {
      for (int each = row; each < end; each++) refusal.is(partitionOf(each), offsets[each], e);
      return;
    }
    for (int each = row; how == Acknowledge.KQ_RENEW && each < end; each++) {
      if (records[each] != null) renewed.put(each, records[each]);
    }
  }

  boolean hasRenewed() {
    return !renewed.isEmpty();
  }

  /** A renewal has failed: the record is somebody else's by now. */
  void lost(String topic, int partition, long first, long last) {
    renewed.values().removeIf(record -> record.topic().equals(topic) && record.partition() == partition && record.offset() >= first && record.offset() <= last);
  }

  /** What was renewed, to be acknowledged once more. */
  ConsumerRecords<K, V> takeRenewed() {
    Map<TopicPartition, List<ConsumerRecord<K, V>>> again = new LinkedHashMap<>();
    renewed.forEach((row, record) -> {
      said[row] = NOTHING;
      open++;
      again.computeIfAbsent(new TopicPartition(record.topic(), record.partition()), partition -> new ArrayList<>()).add(record);
    });
    renewed.clear();
    return new ConsumerRecords<>(again, Map.of());
  }

  /** -1: it is none of these. */
  private int find(String topic, int partition, long offset) {
    if (guess < offsets.length && offsets[guess] == offset && isOf(guess, topic, partition)) return guess;
    for (int run = 0; run < starts.size(); run++) {
      TopicPartition of = partitions.get(run);
      if (of.partition() != partition || !of.topic().equals(topic)) continue;
      int end = run + 1 < starts.size() ? starts.get(run + 1) : offsets.length;
      int row = Arrays.binarySearch(offsets, starts.get(run), end, offset);
      if (row >= 0) return row;
    }
    return -1;
  }

  private boolean isOf(int row, String topic, int partition) {
    TopicPartition of = partitionOf(row);
    return of.partition() == partition && of.topic().equals(topic);
  }

  private TopicPartition partitionOf(int row) {
    int run = starts.size() - 1;
    while (starts.get(run) > row) run--;
    return partitions.get(run);
  }

  @Override
  public void close() {
    Native.kq_batch_free(batch);
  }
}
