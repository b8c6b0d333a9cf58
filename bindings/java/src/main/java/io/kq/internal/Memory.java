package io.kq.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Reads native memory through direct buffers, which are windows of the address space: records are copied into arrays straight from
 * where libkq has them.  For addresses alone that belong to a batch which is held meanwhile.  One thread's at a time.
 */
public final class Memory {
  private static final int WINDOW_BITS = 30;
  private static final long WITHIN = (1L << WINDOW_BITS) - 1;
  private static final int WINDOWS = 16;

  private final long[] starts = new long[WINDOWS];
  private final ByteBuffer[] windows = new ByteBuffer[WINDOWS];
  private int next;
  private long start = -1;
  private ByteBuffer window;

  /** A copy of these bytes; null for a length below zero. */
  public byte[] bytes(long address, int length) {
    if (length < 0) return null;
    byte[] copy = new byte[length];
    if (length > 0) at(address).get(within(address), copy);
    return copy;
  }

  public long word(long address) {
    return at(address).getLong(within(address));
  }

  /** Where the window begins that an address lies in, and where in it. */
  public static long window(long address) {
    return address & ~WITHIN;
  }

  public static int within(long address) {
    return (int) (address & WITHIN);
  }

  /** A window has twice the size of the step from one to the next, so whatever begins in it also ends in it. */
  private ByteBuffer at(long address) {
    long wanted = window(address);
    if (wanted != start) turnTo(wanted);
    return window;
  }

  private void turnTo(long wanted) {
    int found = 0;
    while (found < WINDOWS && (windows[found] == null || starts[found] != wanted)) found++;
    if (found == WINDOWS) {
      found = next++ % WINDOWS;
      starts[found] = wanted;
      windows[found] = Native.kq_window_at(wanted).order(ByteOrder.nativeOrder());
    }
    start = wanted;
    window = windows[found];
  }
}
