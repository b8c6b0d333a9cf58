package io.kq;

import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerInterceptor;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.ProducerInterceptor;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Headers;

/** Kafka's interceptors, one after the other.  What one of them throws is logged, and the next one goes on. */
final class Interceptors {
  private static final System.Logger LOGGER = System.getLogger(Interceptors.class.getName());

  private Interceptors() {}

  static <K, V> ProducerRecord<K, V> onSend(List<ProducerInterceptor<K, V>> all, ProducerRecord<K, V> record) {
    for (ProducerInterceptor<K, V> each : all) {
      try {
        record = each.onSend(record);
      } catch (Exception e) {
        failed(each, e);
      }
    }
    return record;
  }

  static <K, V> SentRecord.Acknowledgement acknowledgement(List<ProducerInterceptor<K, V>> all, Callback callback, Headers headers) {
    return (metadata, failure) -> {
      for (ProducerInterceptor<K, V> each : all) {
        try {
          each.onAcknowledgement(metadata, failure, headers);
        } catch (Exception e) {
          failed(each, e);
        }
      }
      if (callback != null) callback.onCompletion(metadata, failure);
    };
  }

  static <K, V> ConsumerRecords<K, V> onConsume(List<ConsumerInterceptor<K, V>> all, ConsumerRecords<K, V> records) {
    for (ConsumerInterceptor<K, V> each : all) {
      try {
        records = each.onConsume(records);
      } catch (Exception e) {
        failed(each, e);
      }
    }
    return records;
  }

  static void onCommit(List<? extends ConsumerInterceptor<?, ?>> all, Map<TopicPartition, OffsetAndMetadata> offsets) {
    for (ConsumerInterceptor<?, ?> each : all) {
      try {
        each.onCommit(offsets);
      } catch (Exception e) {
        failed(each, e);
      }
    }
  }

  private static void failed(Object interceptor, Exception e) {
    LOGGER.log(System.Logger.Level.WARNING, "the interceptor " + interceptor.getClass().getName() + " has failed", e);
  }
}
