package io.kq;

import java.time.Duration;
import java.util.Map;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.MetricName;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.metrics.KafkaMetric;

/** What Kafka's producer and consumers say of their metrics.  libkq counts, and pushes to brokers, its own. */
abstract class WithoutMetrics {
  /** Empty: libkq has none of Kafka's metrics. */
  public Map<MetricName, ? extends Metric> metrics() {
    return Map.of();
  }

  public Uuid clientInstanceId(Duration timeout) {
    throw new UnsupportedOperationException("libkq does not tell the instance id that a broker gave it for its telemetry");
  }

  public void registerMetricForSubscription(KafkaMetric metric) {
    throw new UnsupportedOperationException("libkq's telemetry has metrics of its own, so no metric can be added to it");
  }

  public void unregisterMetricFromSubscription(KafkaMetric metric) {
    throw new UnsupportedOperationException("libkq's telemetry has metrics of its own, so no metric can be taken from it");
  }
}
