package io.kq.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** The layouts of native/flat.h: sizes, and where in a row each field stands. */
public final class Flat {
  public static final int SENT_HEAD = 32;
  public static final int SENT_HEADER_HEAD = 8;

  public static final int DELIVERY = 32;
  public static final int DELIVERY_TAG = 0;
  public static final int DELIVERY_OFFSET = 8;
  public static final int DELIVERY_TIMESTAMP = 16;
  public static final int DELIVERY_PARTITION = 24;
  public static final int DELIVERY_FAILED = 28;

  public static final int RECORD = 72;
  public static final int RECORD_OFFSET = 0;
  public static final int RECORD_TIMESTAMP = 8;
  public static final int RECORD_TAG = 16;
  public static final int RECORD_KEY = 24;
  public static final int RECORD_VALUE = 32;
  public static final int RECORD_HEADERS = 40;
  public static final int RECORD_KEY_LENGTH = 48;
  public static final int RECORD_VALUE_LENGTH = 52;
  public static final int RECORD_PARTITION = 56;
  public static final int RECORD_HEADER_COUNT = 60;
  public static final int RECORD_LEADER_EPOCH = 64;
  public static final int RECORD_KIND = 68;
  public static final int KIND_TURN = 1; // of another partition than the row before
  public static final int KIND_TIMESTAMP_TYPE = 8; // how far to shift
  public static final int KIND_DELIVERY_COUNT = 16;

  public static final int HEADER = 32; // kq_header: key, key_len, value, value_len

  private Flat() {}

  /** Rows for native code to fill in. */
  public static ByteBuffer rows(int count, int size) {
    return ByteBuffer.allocateDirect(count * size).order(ByteOrder.nativeOrder());
  }

  /** Partitions, and where in them, as native/jvm.hpp reads them. */
  public static final class Partitions {
    private ByteBuffer buffer = ByteBuffer.allocate(256).order(ByteOrder.nativeOrder());

    public Partitions add(String topic, int partition, long offset, int leaderEpoch, String metadata) {
      byte[] name = text(topic);
      byte[] note = metadata == null ? new byte[0] : text(metadata);
      reserve(16 + name.length + 2 + note.length + 1);
      buffer.putInt(partition).putLong(offset).putInt(leaderEpoch).put(name).put((byte) 0);
      if (metadata == null) {
        buffer.put((byte) 0);
      } else {
        buffer.put((byte) 1).put(note).put((byte) 0);
      }
      return this;
    }

    public byte[] bytes() {
      byte[] bytes = new byte[buffer.position()];
      buffer.get(0, bytes);
      return bytes;
    }

    private static byte[] text(String text) {
      if (text == null) throw new IllegalArgumentException("a topic is null");
      return Utf8.bytes(text);
    }

    private void reserve(int size) {
      if (buffer.remaining() >= size) return;
      ByteBuffer larger = ByteBuffer.allocate(Math.max(2 * buffer.capacity(), buffer.position() + size)).order(ByteOrder.nativeOrder());
      buffer = larger.put(buffer.flip());
    }
  }

  public static byte[] topic(String topic) {
    return topic.getBytes(StandardCharsets.UTF_8);
  }
}
