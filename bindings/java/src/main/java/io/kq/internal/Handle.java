package io.kq.internal;

import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;

/**
 * A native handle that threads share.  It is freed when it is closed and the last call on it has ended, whichever is later; after
 * {@code close} no call begins.
 *
 * <pre>  long producer = handle.enter();  try { ... } finally { handle.leave(); }</pre>
 */
public final class Handle implements Runnable {
  private static final long CLOSED = 1L << 62;

  private final AtomicLong users = new AtomicLong();
  private final long pointer;
  private final String name;
  private final LongConsumer free;

  public Handle(long pointer, String name, LongConsumer free) {
    this.pointer = pointer;
    this.name = name;
    this.free = free;
  }

  /** The pointer, until {@code leave}. */
  public long enter() {
    if ((users.incrementAndGet() & CLOSED) == 0) return pointer;
    leave();
    throw new IllegalStateException("this " + name + " has already been closed");
  }

  public void leave() {
    if (users.decrementAndGet() == CLOSED) freeOnce();
  }

  public boolean closed() {
    return (users.get() & CLOSED) != 0;
  }

  /** Closes it; true for the first call. */
  public boolean close() {
    long before = users.getAndUpdate(count -> count | CLOSED);
    if ((before & CLOSED) != 0) return false;
    if (before == 0) freeOnce();
    return true;
  }

  /** For a Cleaner. */
  @Override
  public void run() {
    close();
  }

  /** Late and refused calls of {@code enter} pass the same count, so it can come by here more than once. */
  private void freeOnce() {
    if (users.compareAndSet(CLOSED, 2 * CLOSED | CLOSED)) free.accept(pointer);
  }
}
