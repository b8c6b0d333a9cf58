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
  private long end;
  private RecordDeserializationException failure;

  Unpacking(Deserializer<K> keys, Deserializer<V> values) {
    this.keys = keys;
    this.values = values;
  }

  /**
   * The records of a batch, from a row on.  Where one cannot be deserialized they end before it; {@link #end} then tells its row, and
   * {@link #failure} why.
   */
  ConsumerRecords<K, V> unpack(long batch, long first) {
    records = new LinkedHashMap<>();
    next = new HashMap<>();
    failure = null;
    at = null;
    ofPartition = null;
    end = first;
    for (long count = Native.kq_batch_count(batch); end < count && failure == null; ) unpackSome(batch, count);
    noteNext();
    records.values().removeIf(List::isEmpty);
    ConsumerRecords<K, V> unpacked = new ConsumerRecords<>(records, next);
    records = null;
    ofPartition = null;
    return unpacked;
  }

  private void unpackSome(long batch, long count) {
    int some = Native.kq_flat_records(batch, end, rows);
    for (int i = 0; i < some; i++, end++) {
      int row = i * Flat.RECORD;
      int kind = rows.getInt(row + Flat.RECORD_KIND);
      if ((kind & Flat.KIND_TURN) != 0 || ofPartition == null) turn(batch, end, (int) (count - end), row);
      try {
        ofPartition.add(record(row, kind));
      } catch (RecordDeserializationException e) {
        failure = e;
        return;
      }
    }
  }

  /** The row that was not unpacked any more. */
  long end() {
    return end;
  }

  /** Null: all went well. */
  RecordDeserializationException failure() {
    return failure;
  }

  /** Where each partition goes on, of the rows from one on. */
  static Map<TopicPartition, Long> offsets(long batch, long first) {
    Map<TopicPartition, Long> offsets = new HashMap<>();
    forEachRow(batch, (row, partition, offset, tag) -> {
      if (row >= first) offsets.putIfAbsent(partition, offset);
    });
    return offsets;
  }

  /** The tag of an event, which all of its rows have. */
  static long tag(long batch) {
    ByteBuffer row = Flat.rows(1, Flat.RECORD);
    Native.kq_flat_records(batch, 0, row);
    return row.getLong(Flat.RECORD_TAG);
  }

  interface Row {
    void is(int row, TopicPartition partition, long offset, long tag);
  }

  /** The rows of an event, which has few, or of a batch where something went wrong. */
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

  private ConsumerRecord<K, V> record(int row, int kind) {
    TimestampType timestampType = TIMESTAMP_TYPES[(kind >> Flat.KIND_TIMESTAMP_TYPE) & 0xff];
    int deliveries = kind >>> Flat.KIND_DELIVERY_COUNT;
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
        epoch(rows.getInt(row + Flat.RECORD_LEADER_EPOCH)), deliveries == 0 ? Optional.empty() : Optional.of((short) deliveries));
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
