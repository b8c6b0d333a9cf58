package io.kq;

import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.producer.BufferExhaustedException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.errors.CorruptRecordException;
import org.apache.kafka.common.errors.GroupAuthorizationException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.NetworkException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.protocol.Errors;

/** Kafka's exceptions, which existing code catches, for kq's; these become their causes. */
final class KafkaErrors {
  private KafkaErrors() {}

  /** What a call throws. */
  static RuntimeException of(KqException e) {
    return caused(e.code() >= Errors.UNKNOWN_SERVER_ERROR.code() ? kafkas(e) : own(e), e);
  }

  /** What a record's future fails with. */
  static RuntimeException ofSend(KqException e) {
    if (e.name().equals("NO_ROOM")) return caused(new BufferExhaustedException(e.getMessage()), e);
    if (e.verdict() == KqException.Verdict.RETRY && e.code() < 0) return caused(new TimeoutException(e.getMessage()), e);
    return of(e);
  }

  /** What a commit fails with. */
  static RuntimeException ofCommit(KqException e) {
    switch (Errors.forCode((short) Math.max(e.code(), Short.MIN_VALUE))) {
      case UNKNOWN_MEMBER_ID:
      case ILLEGAL_GENERATION:
      case STALE_MEMBER_EPOCH:
        return caused(new CommitFailedException(e.getMessage()), e);
      default:
        return of(e);
    }
  }

  private static RuntimeException kafkas(KqException e) {
    switch (Errors.forCode((short) e.code())) {
      case TOPIC_AUTHORIZATION_FAILED:
        return e.topic() == null ? new TopicAuthorizationException(e.getMessage()) : new TopicAuthorizationException(Set.of(e.topic()));
      case INVALID_TOPIC_EXCEPTION:
        return e.topic() == null ? new InvalidTopicException(e.getMessage()) : new InvalidTopicException(e.getMessage(), Set.of(e.topic()));
      case GROUP_AUTHORIZATION_FAILED:
        return new GroupAuthorizationException(e.getMessage());
      case OFFSET_OUT_OF_RANGE:
        if (e.topic() == null) return new OffsetOutOfRangeException(e.getMessage(), Map.of());
        return new OffsetOutOfRangeException(e.getMessage(), Map.of(new TopicPartition(e.topic(), e.partition()), -1L));
      default:
        return Errors.forCode((short) e.code()).exception(e.getMessage());
    }
  }

  private static RuntimeException own(KqException e) {
    switch (e.name()) {
      case "ARGUMENT": return new IllegalArgumentException(e.getMessage());
      case "CONFIG": return new ConfigException(e.getMessage());
      case "CLOSED": return new IllegalStateException(e.getMessage());
      case "TIMED_OUT":
      case "NO_ROOM": return new TimeoutException(e.getMessage());
      case "TRANSPORT": return new NetworkException(e.getMessage());
      case "UNSUPPORTED": return new UnsupportedVersionException(e.getMessage());
      case "DATA": return new CorruptRecordException(e.getMessage());
      default: return new KafkaException(e.getMessage());
    }
  }

  private static RuntimeException caused(RuntimeException thrown, KqException cause) {
    if (thrown.getCause() != null) return thrown;
    try {
      thrown.initCause(cause);
    } catch (IllegalStateException e) {
      thrown.addSuppressed(cause); // its constructor has said that there is no cause
    }
    return thrown;
  }

  static RuntimeException noOffset(TopicPartition partition) {
    return new NoOffsetForPartitionException(partition);
  }
}
