package io.kq;

import io.kq.internal.Handle;
import io.kq.internal.Native;
import io.kq.internal.Settings;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashMap;
import java.util.Map;

/**
 * A whole broker inside the JVM: it starts in milliseconds, and any Kafka client may connect.
 *
 * <pre>{@code
 * try (KqBroker broker = KqBroker.start()) {
 *   settings.put("bootstrap.servers", broker.bootstrapServers());
 * }
 * }</pre>
 *
 * <p>It takes the keys of Apache Kafka's server.properties.  Without {@code log.dirs} its data lies in a temporary directory that
 * {@code close} deletes.  One that was not closed is stopped when the JVM ends.  All methods may be called from any thread.  Errors are {@link KqException}s.
 */
public final class KqBroker implements AutoCloseable {
  private static final int NO_LOG = -1;

  private final Handle handle;
  private final String address;
  private final Path temporary; // null: the data is the caller's
  private final int log;
  private final Thread atExit = new Thread(this::stop, "kq-broker-exit");

  private KqBroker(Map<String, ?> config, Path logFile) {
    Map<String, Object> settings = new HashMap<>(config);
    temporary = settings.containsKey("log.dirs") || settings.containsKey("log.dir") ? null : temporaryDirectory();
    if (temporary != null) settings.put("log.dirs", temporary.resolve("data").toString());
    log = logFile == null ? NO_LOG : Native.kq_log_open(logFile.toString());
    boolean started = false;
    try {
      if (logFile != null && log < 0) throw new IllegalArgumentException("log lines cannot be written to " + logFile);
      long broker;
      try (Settings native_ = new Settings(settings)) {
        broker = Native.kq_broker_start(native_.pointer(), log);
      }
      started = true;
      address = Native.kq_broker_address(broker, 0);
      handle = new Handle(broker, "broker", new Release(log));
    } finally {
      if (!started) {
        if (log >= 0) Native.kq_log_close(log);
        deleteTemporary();
      }
    }
    Runtime.getRuntime().addShutdownHook(atExit);
  }

  /** Frees the broker and, after it, its log. */
  private record Release(int log) implements java.util.function.LongConsumer {
    @Override
    public void accept(long broker) {
      Native.kq_broker_free(broker);
      if (log >= 0) Native.kq_log_close(log);
    }
  }

  /** One for a test: a free port of this machine, data that is gone with it. */
  public static KqBroker start() {
    return start(Map.of());
  }

  public static KqBroker start(Map<String, ?> config) {
    return new KqBroker(config, null);
  }

  /** The same, with the broker's log lines appended to a file. */
  public static KqBroker start(Map<String, ?> config, Path log) {
    return new KqBroker(config, log);
  }

  /** What goes into a client's bootstrap.servers: where the first listener listens. */
  public String bootstrapServers() {
    return address;
  }

  /** What broke inside, after which nothing is served any more; null: nothing. */
  public KqException failure() {
    long broker = handle.enter();
    try {
      Native.kq_broker_failure(broker);
      return null;
    } catch (KqException failure) {
      return failure;
    } finally {
      handle.leave();
    }
  }

  /** Leaves the data synced and marked as cleanly stopped.  Closing twice does nothing. */
  @Override
  public void close() {
    stop();
    try {
      Runtime.getRuntime().removeShutdownHook(atExit);
    } catch (IllegalStateException e) {
      // The JVM is ending already.
    }
  }

  private synchronized void stop() {
    if (handle.closed()) return;
    long broker = handle.enter();
    try {
      Native.kq_broker_stop(broker);
    } finally {
      handle.leave();
      handle.close();
      deleteTemporary();
    }
  }

  private static Path temporaryDirectory() {
    try {
      return Files.createTempDirectory("kq-broker");
    } catch (IOException e) {
      throw new UncheckedIOException("there is no temporary directory for the broker: set log.dirs", e);
    }
  }

  private void deleteTemporary() {
    if (temporary == null || !Files.exists(temporary)) return;
    try {
      Files.walkFileTree(temporary, new SimpleFileVisitor<>() {
        @Override
        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
          Files.deleteIfExists(file);
          return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult postVisitDirectory(Path directory, IOException failure) throws IOException {
          Files.deleteIfExists(directory);
          return FileVisitResult.CONTINUE;
        }
      });
    } catch (IOException e) {
      throw new UncheckedIOException("the broker's temporary data could not be deleted", e);
    }
  }
}
