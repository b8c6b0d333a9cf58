package io.kq;

import io.kq.internal.Handle;
import io.kq.internal.Native;
import io.kq.internal.Rows;
import io.kq.internal.Settings;
import java.lang.ref.Cleaner;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/**
 * Administration: a request with parameters, and rows with columns, for all of libkq's operations ({@code kq.h} has their table, and
 * {@link #operations} tells it to programs).
 *
 * <pre>{@code
 * try (KqAdmin admin = new KqAdmin(Map.of("bootstrap.servers", "localhost:9092"))) {
 *   admin.createTopic("orders", 4, 1);
 *   for (KqAdmin.Row group : admin.request("list_groups").run()) System.out.println(group.text("group"));
 * }
 * }</pre>
 *
 * <p>May be shared by threads; a request is one thread's.  Errors are {@link KqException}s: of the request as a whole where it is run,
 * of a single item in its row.
 */
public final class KqAdmin implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();
  private static final int DEFAULT_TIME = -1;

  private final Handle handle;

  public KqAdmin(Properties properties) {
    this(asMap(properties));
  }

  public KqAdmin(Map<String, ?> configs) {
    try (Settings config = new Settings(configs)) {
      handle = new Handle(Native.kq_admin_new(config.pointer()), "admin", Native::kq_admin_free);
    }
    CLEANER.register(this, handle);
  }

  private static Map<String, Object> asMap(Properties properties) {
    Map<String, Object> map = new HashMap<>();
    for (String name : properties.stringPropertyNames()) map.put(name, properties.getProperty(name));
    return map;
  }

  /** Creates one topic; -1: the cluster's own number of partitions or replicas. */
  public void createTopic(String topic, int partitions, int replicationFactor) {
    createTopic(topic, partitions, replicationFactor, Map.of());
  }

  public void createTopic(String topic, int partitions, int replicationFactor, Map<String, String> configs) {
    Request request = request("create_topics").set("topic", topic).set("partitions", partitions).set("replication_factor", replicationFactor);
    configs.forEach((key, value) -> request.set("config", key + '=' + value));
    request.run().forEach(Row::check);
  }

  public void deleteTopic(String topic) {
    request("delete_topics").set("topic", topic).run().forEach(Row::check);
  }

  /** The names of the topics that are not Kafka's own. */
  public List<String> topics() {
    return request("list_topics").run().stream().map(row -> row.check().text("topic")).toList();
  }

  /** The names of all operations. */
  public static List<String> operations() {
    List<String> names = new ArrayList<>();
    for (String name; (name = Native.kq_operation_name(names.size())) != null; ) names.add(name);
    return names;
  }

  public Request request(String operation) {
    return new Request(operation);
  }

  /** A request while it is put together. */
  public final class Request {
    private final String operation;
    private final long request;
    private boolean done;

    private Request(String operation) {
      this.operation = operation;
      request = Native.kq_request_new(operation);
      CLEANER.register(this, new Freed(request));
    }

    /** Sets a parameter, or adds a value to one that may be given several times. */
    public Request set(String name, String value) {
      check();
      Native.kq_request_string(request, name, value);
      return this;
    }

    public Request set(String name, long value) {
      check();
      Native.kq_request_int64(request, name, value);
      return this;
    }

    /** Starts one more item: what is set from now on is about it. */
    public Request item() {
      check();
      Native.kq_request_item(request);
      return this;
    }

    /** Runs it, within default.api.timeout.ms. */
    public List<Row> run() {
      return run(DEFAULT_TIME);
    }

    public List<Row> run(Duration timeout) {
      return run((int) Math.min(timeout.toMillis(), Integer.MAX_VALUE));
    }

    private List<Row> run(int timeoutMillis) {
      check();
      done = true;
      long admin = handle.enter();
      try (Rows rows = new Rows(Native.kq_admin_run(admin, request, timeoutMillis))) {
        return KqAdmin.rows(rows, Rows.columns(operation), "");
      } finally {
        handle.leave();
      }
    }

    private void check() {
      if (done) throw new IllegalStateException("this request has been run: make another one");
    }
  }

  private record Freed(long request) implements Runnable {
    @Override
    public void run() {
      Native.kq_request_free(request);
    }
  }

  private static List<Row> rows(Rows rows, List<Rows.Column> columns, String prefix) {
    List<Row> all = new ArrayList<>();
    for (int row = 0; row < rows.count(); row++) {
      Map<String, Object> values = new LinkedHashMap<>();
      for (Rows.Column column : columns) {
        if (!column.name().startsWith(prefix) || column.name().indexOf('.', prefix.length()) >= 0) continue;
        String name = column.name().substring(prefix.length());
        values.put(name, value(rows, row, name, column, columns));
      }
      all.add(new Row(values, rows.error(row)));
    }
    return all;
  }

  private static Object value(Rows rows, int row, String name, Rows.Column column, List<Rows.Column> columns) {
    switch (column.type()) {
      case 's': return rows.text(row, name);
      case 'i': {
        long number = rows.number(row, name);
        return number == Long.MIN_VALUE ? null : number;
      }
      case 'r': return rows(rows.nested(row, name), columns, column.name() + '.');
      default: return null;
    }
  }

  /** One row of an answer. */
  public static final class Row {
    private final Map<String, Object> values;
    private final KqException error;

    private Row(Map<String, Object> values, KqException error) {
      this.values = values;
      this.error = error;
    }

    /** What failed about this item; null: nothing. */
    public KqException error() {
      return error;
    }

    /** This row, or its error thrown. */
    public Row check() {
      if (error != null) throw error;
      return this;
    }

    public String text(String column) {
      return (String) value(column);
    }

    /** A number that is there. */
    public long number(String column) {
      Object number = value(column);
      if (number == null) throw new IllegalStateException(column + " is null in this row");
      return (Long) number;
    }

    public boolean isNull(String column) {
      return value(column) == null;
    }

    @SuppressWarnings("unchecked")
    public List<Row> rows(String column) {
      return (List<Row>) value(column);
    }

    private Object value(String column) {
      if (!values.containsKey(column)) throw new IllegalArgumentException("no column " + column + "; there are: " + values.keySet());
      return values.get(column);
    }

    @Override
    public String toString() {
      return error == null ? values.toString() : values + " " + error.name();
    }
  }

  /** Closing twice does nothing. */
  @Override
  public void close() {
    handle.close();
  }
}
