package io.kq.internal;

import java.util.Collection;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** A kq_config while a handle is made from it. */
public final class Settings implements AutoCloseable {
  private final long config = Native.kq_config_new();

  /** Values may be of any type that Kafka takes: text, numbers, booleans, classes, lists; null: unset. */
  public Settings(Map<String, ?> values) {
    try {
      values.forEach((key, value) -> {
        if (key == null) throw new IllegalArgumentException("a configuration key is null");
        if (value != null) Native.kq_config_set(config, key, text(value));
      });
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  public long pointer() {
    return config;
  }

  public static String text(Object value) {
    if (value instanceof Class<?> type) return type.getName();
    if (value instanceof Collection<?> list) return list.stream().map(Settings::text).collect(Collectors.joining(","));
    return value.toString().trim();
  }

  /** Every key that libkq's client knows, librdkafka's names included. */
  public static Set<String> clientKeys() {
    return Keys.ALL;
  }

  private static final class Keys {
    static final Set<String> ALL = new HashSet<>();

    static {
      for (long i = 0; i < Native.kq_option_count(); i++) {
        Option option = Native.kq_option_at(i);
        ALL.add(option.getName());
        if (option.getAlias() != null) ALL.add(option.getAlias());
      }
    }
  }

  @Override
  public void close() {
    Native.kq_config_free(config);
  }
}
