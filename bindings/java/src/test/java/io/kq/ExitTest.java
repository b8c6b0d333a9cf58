package io.kq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A program that ends without closing anything ends as any other does. */
class ExitTest {
  /** What the JVM of its own runs. */
  public static final class Program {
    public static void main(String[] arguments) throws Exception {
      KqBroker broker = arguments[0].equals("broker") ? KqBroker.start() : null;
      String address = broker == null ? Cluster.bootstrap() : broker.bootstrapServers();
      KqProducer<String, String> producer = Cluster.producer("bootstrap.servers", address);
      KqConsumer<String, String> consumer = Cluster.consumer("bootstrap.servers", address, "group.id", Cluster.name("group"));
      String topic = Cluster.name("exit");
      consumer.subscribe(List.of(topic));
      producer.send(new ProducerRecord<>(topic, "x")).get(30, TimeUnit.SECONDS);
      for (int i = 0; i < 10_000; i++) producer.send(new ProducerRecord<>(topic, "y"));
      Thread poller = new Thread(() -> {
        while (true) consumer.poll(Duration.ofSeconds(1));
      });
      KqShareConsumer<String, String> member = new KqShareConsumer<>(Map.of("bootstrap.servers", address, "group.id", Cluster.name("share")), new StringDeserializer(), new StringDeserializer());
      member.subscribe(List.of(topic));
      Thread worker = new Thread(() -> {
        while (true) member.poll(Duration.ofSeconds(1));
      });
      for (Thread each : List.of(poller, worker)) {
        each.setDaemon(true);
        each.start();
      }
      System.out.println("about to end");
      if (arguments[1].equals("exit")) System.exit(7);
      if (arguments[1].equals("throw")) throw new IllegalStateException("on purpose");
    }
  }

  private static void ends(Path directory, int status, String... arguments) throws Exception {
    Path output = directory.resolve("output");
    ProcessBuilder builder = new ProcessBuilder(System.getProperty("java.home") + "/bin/java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:ErrorFile=" + directory + "/crash",
        "-cp", System.getProperty("java.class.path"), Program.class.getName());
    builder.command().addAll(List.of(arguments));
    Process process = builder.redirectErrorStream(true).redirectOutput(output.toFile()).start();
    try {
      assertTrue(process.waitFor(60, TimeUnit.SECONDS), "it goes on for ever");
      String said = Files.readString(output, StandardCharsets.UTF_8);
      assertEquals(status, process.exitValue(), said);
      assertTrue(said.startsWith("about to end"), said);
    } finally {
      process.destroyForcibly();
    }
  }

  @Test
  void byReturningFromMain(@TempDir Path directory) throws Exception {
    for (int i = 0; i < (Cluster.FULL ? 10 : 2); i++) ends(directory, 0, "broker", "return");
  }

  @Test
  void byExit(@TempDir Path directory) throws Exception {
    for (int i = 0; i < (Cluster.FULL ? 10 : 2); i++) ends(directory, 7, "broker", "exit");
  }

  @Test
  void byAnException(@TempDir Path directory) throws Exception {
    ends(directory, 1, System.getenv("KQ_TEST_BOOTSTRAP") == null ? "broker" : "cluster", "throw");
  }
}
