package io.kq;

import io.kq.internal.Settings;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.common.Configurable;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.config.types.Password;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.utils.Utils;

/**
 * The configuration of a Kafka client, as programs for kafka-clients have it: what is for libkq, and what is for Java.
 *
 * <p>A key of Kafka's that libkq lacks is left out where that changes nothing that a program can rely on (its value is Kafka's
 * default, or it is about metrics and the like), and refused otherwise.  A key that nobody knows is refused with the nearest known
 * one, unless there are serializers, deserializers or interceptors of the program's own, which may look for it.
 */
final class KafkaSettings {
  private static final Set<String> NO_MATTER = Set.of("auto.include.jmx.reporter", "client.dns.lookup", "connections.max.idle.ms",
      "enable.metrics.push", "metadata.max.idle.ms", "metric.reporters", "metrics.num.samples", "metrics.recording.level",
      "metrics.sample.window.ms", "partitioner.adaptive.partitioning.enable", "partitioner.availability.timeout.ms",
      "socket.connection.setup.timeout.max.ms");
  private static final Set<String> JAVAS = Set.of("key.serializer", "value.serializer", "key.deserializer", "value.deserializer",
      "interceptor.classes", "config.providers");

  private final Map<String, Object> given;
  private final ConfigDef kafkas;
  private boolean foreign;

  KafkaSettings(Map<String, ?> given, ConfigDef kafkas) {
    if (given == null) throw new IllegalArgumentException("the configuration is null");
    this.given = new HashMap<>(given);
    this.given.values().removeIf(value -> value == null);
    this.kafkas = kafkas;
  }

  static Map<String, Object> map(Properties properties) {
    if (properties == null) throw new IllegalArgumentException("the properties are null");
    Map<String, Object> map = new HashMap<>();
    properties.forEach((key, value) -> {
      if (!(key instanceof String name)) throw new ConfigException("a configuration key is no String: " + key);
      map.put(name, value);
    });
    for (String name : properties.stringPropertyNames()) map.put(name, properties.getProperty(name)); // defaults as well
    return map;
  }

  Object get(String key) {
    return given.get(key);
  }

  /** What a list setting holds: a list, or text with commas. */
  static List<?> list(Object value) {
    if (value == null) return List.of();
    if (value instanceof Collection<?> list) return List.copyOf(list);
    if (!(value instanceof String text)) return List.of(value);
    return Arrays.stream(text.split(",")).map(String::trim).filter(each -> !each.isEmpty()).toList();
  }

  long number(String key, long otherwise) {
    Object value = given.get(key);
    if (value == null) return otherwise;
    try {
      return Long.parseLong(Settings.text(value));
    } catch (NumberFormatException e) {
      throw new ConfigException(key, value, "a number was expected");
    }
  }

  boolean flag(String key, boolean otherwise) {
    Object value = given.get(key);
    return value == null ? otherwise : Boolean.parseBoolean(Settings.text(value));
  }

  String text(String key) {
    Object value = given.get(key);
    return value == null ? null : Settings.text(value);
  }

  /** The object under a key, made and configured: a class, its name, or an instance. */
  <T> T instance(String key, Class<T> type) {
    Object value = given.get(key);
    if (value == null) throw new ConfigException("Missing required configuration \"" + key + "\" which has no default value.");
    return instance(key, value, type);
  }

  <T> T instance(String key, Object value, Class<T> type) {
    if (!type.isInstance(value)) {
      try {
        value = value instanceof Class<?> c ? Utils.newInstance(c) : Utils.newInstance(Settings.text(value), type);
      } catch (ClassNotFoundException e) {
        throw new ConfigException(key, value, "there is no such class");
      } catch (ClassCastException e) {
        throw new ConfigException(key, value, "it is no " + type.getName());
      }
      if (!type.isInstance(value)) throw new ConfigException(key, value, "it is no " + type.getName());
    }
    lookedAtBy(value);
    if (value instanceof Configurable configurable) configurable.configure(given);
    return type.cast(value);
  }

  @SuppressWarnings("unchecked")
  <T> Deserializer<T> deserializer(String key, boolean isKey) {
    Deserializer<T> deserializer = instance(key, Deserializer.class);
    deserializer.configure(given, isKey);
    return deserializer;
  }

  /** An object of the program's own may be configured by keys of its own. */
  void lookedAtBy(Object plugin) {
    if (!plugin.getClass().getName().startsWith("org.apache.kafka.common.serialization.")) foreign = true;
  }

  Map<String, Object> given() {
    return given;
  }

  /** What is for libkq, with some values set by kq itself. */
  Map<String, Object> forKq(Map<String, String> own) {
    Map<String, Object> settings = new HashMap<>();
    given.forEach((key, value) -> {
      if (!(value instanceof Password) && JAVAS.contains(key)) return;
      if (Settings.clientKeys().contains(key)) {
        settings.put(key, spelling(key, value instanceof Password password ? password.value() : Settings.text(value)));
      } else if (kafkas.names().contains(key)) {
        checkNoMatter(key, value);
      } else if (!foreign) {
        settings.put(key, Settings.text(value)); // libkq names the nearest one
      }
    });
    settings.putAll(own);
    return settings;
  }

  private void checkNoMatter(String key, Object value) {
    ConfigDef.ConfigKey known = kafkas.configKeys().get(key);
    Object parsed = ConfigDef.parseType(key, value, known.type);
    Object text = parsed == null ? "" : Settings.text(parsed);
    Object usual = known.hasDefault() && known.defaultValue != null ? Settings.text(known.defaultValue) : "";
    if (NO_MATTER.contains(key) || text.equals(usual)) return;
    throw new ConfigException(key, value, "kq's client does not have this, and without it the program would do something else: remove it");
  }

  /** Where Kafka takes a spelling that libkq does not. */
  private static String spelling(String key, String value) {
    switch (key) {
      case "acks": return value.equals("-1") ? "all" : value;
      case "group.protocol":
      case "isolation.level":
      case "compression.type": return value.toLowerCase(Locale.ROOT);
      case "security.protocol": return value.toUpperCase(Locale.ROOT);
      default: return value;
    }
  }
}
