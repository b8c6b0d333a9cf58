package io.kq;

import io.kq.internal.Flat;
import io.kq.internal.Memory;
import io.kq.internal.Native;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordDeserializationException;
import org.apache.kafka.common.errors.RecordDeserializationException.DeserializationExceptionOrigin;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.Deserializer;

/** Makes Kafka's ConsumerRecords of a batch of libkq's: keys and values are copied once, out of the fetched memory.  One thread's at a time. */
final class Unpacking<K, V> {
  private static final int ROWS = 512;
  private static final TimestampType[] TIMESTAMP_TYPES =
      {TimestampType.NO_TIMESTAMP_TYPE, TimestampType.CREATE_TIME, TimestampType.LOG_APPEND_TIME};

  private final Deserializer<K> keys;
  private final Deserializer<V> values;
  private final ByteBuffer rows = Flat.rows(ROWS, Flat.RECORD);
  private final Memory memory = new Memory();

  private Map<TopicPartition, List<ConsumerRecord<K, V>>> records;
  private Map<TopicPartition, OffsetAndMetadata> next;
  private TopicPartition at;
  private List<ConsumerRecord<K, V>> ofPartition;
  private Optional<Integer> epoch = Optional.empty();
  private Map<TopicPartition, Long> unread;
  private RecordDeserializationException failure;

  Unpacking(Deserializer<K> keys, Deserializer<V> values) {
    this.keys = keys;
    this.values = values;
  }

  /**
   * The records of a batch.  Where one cannot be deserialized they end before it; {@link #unread} then tells where to go on, and
   * {@link #failure} why.
   */
  ConsumerRecords<K, V> unpack(long batch) {
    records = new LinkedHashMap<>();
    next = new HashMap<>();
    unread = null;
    failure = null;
    at = null;
    long count = Native.kq_batch_count(batch);
    for (long first = 0; first < count; ) {
      int some = Native.kq_flat_records(batch, first, rows);
      for (int i = 0; i < some; i++) {
        int row = i * Flat.RECORD;
        int kind = rows.getInt(row + Flat.RECORD_KIND);
        if ((kind & 1) != 0) turn(batch, first + i, (int) (count - first - i), row);
        if (unread != null) {
          unread.putIfAbsent(at, rows.getLong(row + Flat.RECORD_OFFSET));
          continue;
        }
        try {
          ofPartition.add(record(row, TIMESTAMP_TYPES[(kind >> 8)]));
        } catch (RecordDeserializationException e) {
          failure = e;
          unread = new HashMap<>(Map.of(at, e.offset()));
        }
      }
      first += some;
    }
    noteNext();
    records.values().removeIf(List::isEmpty);
    ConsumerRecords<K, V> unpacked = new ConsumerRecords<>(records, next);
    records = null;
    ofPartition = null;
    return unpacked;
  }

  /** The partitions that were not read to the batch's end, and where to go on; null: all were. */
  Map<TopicPartition, Long> unread() {
    return unread;
  }

  RecordDeserializationException failure() {
    return failure;
  }

  interface Row {
    void is(int row, TopicPartition partition, long offset, long tag);
  }

  /** The rows of an event, which has few. */
  static void forEachRow(long batch, Row each) {
    int count = (int) Native.kq_batch_count(batch);
    ByteBuffer rows = Flat.rows(Math.max(count, 1), Flat.RECORD);
    int some = Native.kq_flat_records(batch, 0, rows);
    for (int i = 0, row = 0; i < some; i++, row += Flat.RECORD) {
      TopicPartition partition = new TopicPartition(Native.kq_flat_topic(batch, i), rows.getInt(row + Flat.RECORD_PARTITION));
      each.is(i, partition, rows.getLong(row + Flat.RECORD_OFFSET), rows.getLong(row + Flat.RECORD_TAG));
    }
  }

  /** The row is of another partition than those before it. */
  private void turn(long batch, long index, int left, int row) {
    noteNext();
    String topic = Native.kq_flat_topic(batch, index);
    at = new TopicPartition(topic, rows.getInt(row + Flat.RECORD_PARTITION));
    ofPartition = records.get(at);
    if (ofPartition == null) records.put(at, ofPartition = new ArrayList<>(Math.min(left, ROWS)));
  }

  private void noteNext() {
    if (at == null || ofPartition.isEmpty()) return;
    ConsumerRecord<K, V> last = ofPartition.get(ofPartition.size() - 1);
    next.put(at, new OffsetAndMetadata(last.offset() + 1, last.leaderEpoch(), ""));
  }

  private ConsumerRecord<K, V> record(int row, TimestampType timestampType) {
    long offset = rows.getLong(row + Flat.RECORD_OFFSET);
    long timestamp = rows.getLong(row + Flat.RECORD_TIMESTAMP);
    int keySize = rows.getInt(row + Flat.RECORD_KEY_LENGTH);
    int valueSize = rows.getInt(row + Flat.RECORD_VALUE_LENGTH);
    byte[] keyBytes = memory.bytes(rows.getLong(row + Flat.RECORD_KEY), keySize);
    byte[] valueBytes = memory.bytes(rows.getLong(row + Flat.RECORD_VALUE), valueSize);
    Headers headers = headers(rows.getLong(row + Flat.RECORD_HEADERS), rows.getInt(row + Flat.RECORD_HEADER_COUNT));
    K key;
    try {
      key = keyBytes == null ? null : keys.deserialize(at.topic(), headers, keyBytes);
    } catch (RuntimeException e) {
      throw failed(DeserializationExceptionOrigin.KEY, offset, timestamp, timestampType, keyBytes, valueBytes, headers, e);
    }
    V value;
    try {
      value = valueBytes == null ? null : values.deserialize(at.topic(), headers, valueBytes);
    } catch (RuntimeException e) {
      throw failed(DeserializationExceptionOrigin.VALUE, offset, timestamp, timestampType, keyBytes, valueBytes, headers, e);
    }
    return new ConsumerRecord<>(at.topic(), at.partition(), offset, timestamp, timestampType, keySize, valueSize, key, value, headers,
        epoch(rows.getInt(row + Flat.RECORD_LEADER_EPOCH)));
  }

  private Headers headers(long address, int count) {
    if (count == 0) return new RecordHeaders();
    Header[] headers = new Header[count];
    for (int i = 0; i < count; i++, address += Flat.HEADER) {
      byte[] key = memory.bytes(memory.word(address), (int) memory.word(address + 8));
      long value = memory.word(address + 16);
      byte[] bytes = value == 0 ? null : memory.bytes(value, (int) memory.word(address + 24));
      headers[i] = new RecordHeader(new String(key, StandardCharsets.UTF_8), bytes);
    }
    return new RecordHeaders(headers);
  }

  /** The same object as long as it is the same epoch. */
  private Optional<Integer> epoch(int number) {
    if (epoch.isPresent() ? epoch.get() != number : number >= 0) epoch = Offsets.epoch(number);
    return epoch;
  }

  private RecordDeserializationException failed(DeserializationExceptionOrigin origin, long offset, long timestamp,
                                                TimestampType timestampType, byte[] key, byte[] value, Headers headers, RuntimeException e) {
    return new RecordDeserializationException(origin, at, offset, timestamp, timestampType, wrap(key), wrap(value), headers,
        "Error deserializing " + origin + " for partition " + at + " at offset " + offset
            + ". If needed, please seek past the record to continue consumption.", e);
  }

  private static ByteBuffer wrap(byte[] bytes) {
    return bytes == null ? null : ByteBuffer.wrap(bytes);
  }
}
