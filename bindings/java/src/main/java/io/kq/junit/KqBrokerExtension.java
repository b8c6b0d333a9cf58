package io.kq.junit;

import io.kq.KqAdmin;
import io.kq.KqBroker;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A broker for the tests of a class, or, in a field that is not static, for each test.
 *
 * <pre>{@code
 * @RegisterExtension static KqBrokerExtension kafka = new KqBrokerExtension().topic("orders", 4);
 * ...  settings.put("bootstrap.servers", kafka.bootstrapServers());
 * }</pre>
 */
public final class KqBrokerExtension implements BeforeAllCallback, AfterAllCallback, BeforeEachCallback, AfterEachCallback {
  private final Map<String, String> config = new HashMap<>();
  private final Map<String, Integer> topics = new HashMap<>();
  private KqBroker broker;
  private boolean ofClass;

  /** Sets a key of server.properties. */
  public KqBrokerExtension with(String key, String value) {
    config.put(key, value);
    return this;
  }

  /** Creates a topic at the start. */
  public KqBrokerExtension topic(String name, int partitions) {
    topics.put(name, partitions);
    return this;
  }

  public String bootstrapServers() {
    return broker().bootstrapServers();
  }

  public KqBroker broker() {
    if (broker == null) throw new IllegalStateException("the broker runs during the tests: annotate its field with @RegisterExtension");
    return broker;
  }

  private void start() {
    broker = KqBroker.start(config);
    if (topics.isEmpty()) return;
    try (KqAdmin admin = new KqAdmin(Map.of("bootstrap.servers", broker.bootstrapServers()))) {
      topics.forEach((name, partitions) -> admin.createTopic(name, partitions, 1));
    }
  }

  private void stop() {
    if (broker != null) broker.close();
    broker = null;
  }

  @Override
  public void beforeAll(ExtensionContext context) {
    ofClass = true;
    start();
  }

  @Override
  public void afterAll(ExtensionContext context) {
    stop();
  }

  @Override
  public void beforeEach(ExtensionContext context) {
    if (!ofClass) start();
  }

  @Override
  public void afterEach(ExtensionContext context) {
    if (!ofClass) stop();
  }
}
