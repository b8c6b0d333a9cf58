package io.kq;

import io.kq.internal.Handle;
import io.kq.internal.Native;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.WakeupException;

/**
 * The native side of a consumer: calls, with kq's errors as Kafka's exceptions, and waiting, in slices, between which a wakeup and an
 * interruption of the thread are seen.  {@link #wakeup} may be called by any thread, the rest follows the consumer's rule.
 */
final class Polling {
  static final int SLICE_MS = 100;

  private static final System.Logger LOGGER = System.getLogger(Polling.class.getName());

  private final Handle handle;
  private final Poll poll;
  private final LongConsumer wake;
  private volatile boolean wokenUp;

  /** Native.kq_..._poll. */
  interface Poll {
    long poll(long consumer, int timeoutMillis);
  }

  interface Call {
    long call(long consumer);
  }

  interface Taking<T> {
    /** Null: it holds nothing for the application.  The batch is to be freed, or taken over. */
    T take(long batch);
  }

  Polling(Handle handle, Poll poll, LongConsumer wake) {
    this.handle = handle;
    this.poll = poll;
    this.wake = wake;
  }

  Handle handle() {
    return handle;
  }

  long call(Call call) {
    long consumer = handle.enter();
    try {
      return call.call(consumer);
    } catch (KqException e) {
      throw KafkaErrors.of(e);
    } finally {
      handle.leave();
    }
  }

  /** Polls until a batch holds something, or the time is over. */
  <T> T until(Duration timeout, T nothing, Taking<T> taking) {
    long deadline = deadline(millis(timeout));
    while (true) {
      checkInterruptions();
      long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
      long batch = next((int) Math.max(0, Math.min(left, SLICE_MS)));
      if (batch != 0) {
        T taken = taking.take(batch);
        if (taken != null) return taken;
      }
      if (System.nanoTime() - deadline >= 0) {
        checkInterruptions();
        return nothing;
      }
    }
  }

  /** 0: none in time.  What libkq tries again by itself is no matter of the application's. */
  long next(int timeoutMillis) {
    long consumer = handle.enter();
    try {
      return poll.poll(consumer, timeoutMillis);
    } catch (KqException e) {
      if (e.name().equals("NO_ROOM")) return waitForRoom(e);
      if (e.verdict() == KqException.Verdict.RETRY) {
        LOGGER.log(System.Logger.Level.DEBUG, e.getMessage());
        return 0;
      }
      throw KafkaErrors.of(e);
    } finally {
      handle.leave();
    }
  }

  /** The memory is that of batches which the program holds, or of buffers that nobody has any more: these are found by a collection. */
  private static long waitForRoom(KqException e) {
    System.gc();
    pause(SLICE_MS);
    LOGGER.log(System.Logger.Level.DEBUG, e.getMessage());
    return 0;
  }

  /** Of a closed consumer nobody waits. */
  void wakeup() {
    wokenUp = true;
    if (handle.closed()) return;
    long consumer = handle.enter();
    try {
      wake.accept(consumer);
    } finally {
      handle.leave();
    }
  }

  void checkInterruptions() {
    if (wokenUp) {
      wokenUp = false;
      throw new WakeupException();
    }
    if (Thread.interrupted()) throw new InterruptException("interrupted in poll");
  }

  static void pause(int millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      throw new InterruptException(e);
    }
  }

  static long millis(Duration duration) {
    try {
      return Math.min(duration.toMillis(), Integer.MAX_VALUE);
    } catch (ArithmeticException e) {
      return Integer.MAX_VALUE;
    }
  }

  static long deadline(long millis) {
    return System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
  }

  static int millisUntil(long deadline) {
    return (int) Math.max(0, Math.min(TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime()), Integer.MAX_VALUE));
  }
}
