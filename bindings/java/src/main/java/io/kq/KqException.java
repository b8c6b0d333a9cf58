package io.kq;

/**
 * An error of kq's.  Its class is its verdict, which says what to do about it: {@link Refused}, {@link Retriable}, {@link Abortable},
 * {@link Fatal}.  {@link KqProducer} and {@link KqConsumer} throw Kafka's own exceptions instead, with this one as the cause.
 */
public abstract class KqException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** What to do about an error. */
  public enum Verdict { OK, REFUSED, RETRY, ABORT, FATAL }

  private final int code;
  private final String name;
  private final String topic;
  private final int partition;

  private KqException(int code, String name, String message, String topic, int partition) {
    super(message);
    this.code = code;
    this.name = name;
    this.topic = topic;
    this.partition = partition;
  }

  /** Makes the exception of a verdict. */
  public static KqException of(int code, Verdict verdict, String name, String message, String topic, int partition) {
    switch (verdict) {
      case RETRY: return new Retriable(code, name, message, topic, partition);
      case ABORT: return new Abortable(code, name, message, topic, partition);
      case FATAL: return new Fatal(code, name, message, topic, partition);
      default: return new Refused(code, name, message, topic, partition);
    }
  }

  /** Kafka's number (-1 and above), or kq's own (-1000 and below). */
  public int code() {
    return code;
  }

  /** The name of the code: "UNKNOWN_TOPIC_OR_PARTITION", "TIMED_OUT". */
  public String name() {
    return name;
  }

  /** The topic that it is about; null: none in particular. */
  public String topic() {
    return topic;
  }

  /** The partition that it is about; -1: none in particular. */
  public int partition() {
    return partition;
  }

  public abstract Verdict verdict();

  /** This call was wrong, or was answered with no: change it; the handle goes on. */
  public static final class Refused extends KqException {
    private static final long serialVersionUID = 1;

    Refused(int code, String name, String message, String topic, int partition) {
      super(code, name, message, topic, partition);
    }

    @Override
    public Verdict verdict() {
      return Verdict.REFUSED;
    }
  }

  /** Not now: nothing was done, do the same again later. */
  public static final class Retriable extends KqException {
    private static final long serialVersionUID = 1;

    Retriable(int code, String name, String message, String topic, int partition) {
      super(code, name, message, topic, partition);
    }

    @Override
    public Verdict verdict() {
      return Verdict.RETRY;
    }
  }

  /** The transaction cannot be committed: abort it, the handle goes on. */
  public static final class Abortable extends KqException {
    private static final long serialVersionUID = 1;

    Abortable(int code, String name, String message, String topic, int partition) {
      super(code, name, message, topic, partition);
    }

    @Override
    public Verdict verdict() {
      return Verdict.ABORT;
    }
  }

  /** The handle is of no use any more: close it. */
  public static final class Fatal extends KqException {
    private static final long serialVersionUID = 1;

    Fatal(int code, String name, String message, String topic, int partition) {
      super(code, name, message, topic, partition);
    }

    @Override
    public Verdict verdict() {
      return Verdict.FATAL;
    }
  }
}
