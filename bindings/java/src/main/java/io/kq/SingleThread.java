package io.kq;

import java.util.ConcurrentModificationException;
import java.util.concurrent.atomic.AtomicLong;

/** KafkaConsumer's rule, of KafkaShareConsumer too: one thread at a time, which may come in again from its own callbacks.  {@code try (var turn = rule.enter())}. */
final class SingleThread implements AutoCloseable {
  private static final long NOBODY = -1;

  private final AtomicLong owner = new AtomicLong(NOBODY);
  private final String name;
  private int depth;

  SingleThread(String name) {
    this.name = name;
  }

  SingleThread enter() {
    long me = Thread.currentThread().getId();
    if (owner.get() != me && !owner.compareAndSet(NOBODY, me)) {
      throw new ConcurrentModificationException(name + " is not safe for multi-threaded access: thread "
          + Thread.currentThread().getName() + " calls it while thread " + owner.get() + " is in a call (wakeup alone may be called from others)");
    }
    depth++;
    return this;
  }

  @Override
  public void close() {
    if (--depth == 0) owner.set(NOBODY);
  }
}
