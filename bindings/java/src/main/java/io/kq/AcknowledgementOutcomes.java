package io.kq;

import io.kq.internal.Native;
import io.kq.internal.Rows;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import org.apache.kafka.clients.consumer.AcknowledgementCommitCallback;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;

/**
 * What became of acknowledgements, for the callback (what that throws is logged) and for commitSync.  Topics have ids here, which are asked
 * for once each.
 */
final class AcknowledgementOutcomes {
  private static final System.Logger LOGGER = System.getLogger(AcknowledgementOutcomes.class.getName());

  private final Function<String, Uuid> idOf;
  private final Map<String, Uuid> ids = new HashMap<>();
  private AcknowledgementCommitCallback callback;
  private boolean inCallback;
  private final Map<TopicPartition, Outcome> refused = new LinkedHashMap<>(); // by libkq, so that no answer will tell

  AcknowledgementOutcomes(Function<String, Uuid> idOf) {
    this.idOf = idOf;
  }

  void callback(AcknowledgementCommitCallback wanted) {
    callback = wanted;
  }

  boolean wanted() {
    return callback != null;
  }

  boolean inCallback() {
    return inCallback;
  }

  private static final class Outcome {
    final Set<Long> offsets = new TreeSet<>();
    KqException failure;
  }

  void refused(TopicPartition partition, long offset, KqException why) {
    Outcome outcome = refused.computeIfAbsent(partition, of -> new Outcome());
    outcome.offsets.add(offset);
    outcome.failure = why;
  }

  /** The callback hears of what was refused. */
  void tellRefused() {
    if (refused.isEmpty()) return;
    Map<TopicPartition, Outcome> now = new LinkedHashMap<>(refused);
    refused.clear();
    tell(now);
  }

  /** An event's rows: a record each. */
  void ofEvent(long batch) {
    Map<TopicPartition, Outcome> outcomes = new LinkedHashMap<>();
    Unpacking.forEachRow(batch, (row, partition, offset, tag) -> {
      KqException failure = Native.kq_batch_error(batch, row);
      Outcome outcome = outcomes.computeIfAbsent(partition, of -> new Outcome());
      outcome.offsets.add(offset);
      if (outcome.failure == null) outcome.failure = failure;
    });
    tell(outcomes);
  }

  /** A commit's rows: a run of records each. */
  Map<TopicIdPartition, Optional<KafkaException>> ofCommit(Rows rows) {
    Map<TopicIdPartition, Optional<KafkaException>> result = new LinkedHashMap<>();
    for (int row = 0; row < rows.count(); row++) {
      KqException failure = rows.error(row);
      TopicIdPartition partition = identified(Offsets.partition(rows, row));
      if (failure != null || !result.containsKey(partition)) result.put(partition, Optional.ofNullable(failure).map(AcknowledgementOutcomes::kafkas));
    }
    refused.forEach((partition, outcome) -> result.put(identified(partition), Optional.of(kafkas(outcome.failure))));
    refused.clear();
    return result;
  }

  /** The same for the callback, when there is no poll any more that would tell. */
  void ofLastCommit(Rows rows) {
    Map<TopicPartition, Outcome> outcomes = new LinkedHashMap<>();
    for (int row = 0; row < rows.count(); row++) {
      Outcome outcome = outcomes.computeIfAbsent(Offsets.partition(rows, row), of -> new Outcome());
      for (long offset = rows.number(row, "first_offset"); offset <= rows.number(row, "last_offset"); offset++) outcome.offsets.add(offset);
      if (outcome.failure == null) outcome.failure = rows.error(row);
    }
    tell(outcomes);
  }

  private void tell(Map<TopicPartition, Outcome> outcomes) {
    if (callback == null) return;
    inCallback = true;
    try {
      outcomes.forEach((partition, outcome) -> callback.onComplete(Map.of(identified(partition), Set.copyOf(outcome.offsets)),
          outcome.failure == null ? null : kafkas(outcome.failure)));
    } catch (RuntimeException e) {
      LOGGER.log(System.Logger.Level.ERROR, "the acknowledgement commit callback has failed", e);
    } finally {
      inCallback = false;
    }
  }

  private TopicIdPartition identified(TopicPartition partition) {
    return new TopicIdPartition(ids.computeIfAbsent(partition.topic(), idOf), partition);
  }

  private static KafkaException kafkas(KqException failure) {
    RuntimeException thrown = KafkaErrors.of(failure);
    return thrown instanceof KafkaException kafka ? kafka : new KafkaException(thrown);
  }
}
