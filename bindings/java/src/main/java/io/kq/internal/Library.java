package io.kq.internal;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Loads kq's libraries, once.  They lie in the jar, a folder for each platform, beside an index that lists them in the order of
 * loading; they are copied into a directory of their own, which is gone as soon as they are loaded.  With the system property
 * {@code io.kq.library.path} they are taken from that directory instead.
 */
final class Library {
  private static final String PATH_PROPERTY = "io.kq.library.path";

  private Library() {}

  static void load() {
    String given = System.getProperty(PATH_PROPERTY);
    try {
      if (given != null) {
        load(Path.of(given).toAbsolutePath(), Files.readAllLines(Path.of(given, "index")));
      } else {
        unpackAndLoad();
      }
    } catch (IOException e) {
      throw new UncheckedIOException("kq's native libraries could not be read; " + PATH_PROPERTY + " names a directory that has them", e);
    }
  }

  private static String platform() {
    String machine = System.getProperty("os.arch");
    if (machine.equals("amd64")) machine = "x86_64";
    return System.getProperty("os.name").toLowerCase(Locale.ROOT) + '-' + machine;
  }

  private static void unpackAndLoad() throws IOException {
    String folder = "/io/kq/native/" + platform() + '/';
    List<String> files = index(folder);
    Path directory = Files.createTempDirectory("kq-client");
    try {
      for (String file : files) {
        try (InputStream library = Library.class.getResourceAsStream(folder + file)) {
          if (library == null) throw new IOException("the jar lacks " + folder + file);
          Files.copy(library, directory.resolve(file));
        }
      }
      load(directory, files);
    } finally {
      for (String file : files) Files.deleteIfExists(directory.resolve(file));
      Files.deleteIfExists(directory);
    }
  }

  private static List<String> index(String folder) throws IOException {
    try (InputStream index = Library.class.getResourceAsStream(folder + "index")) {
      if (index == null) {
        throw new UnsatisfiedLinkError("this kq-client has no libraries for " + platform() + ": build it there (bindings/java/README.md)");
      }
      List<String> files = new ArrayList<>();
      BufferedReader lines = new BufferedReader(new InputStreamReader(index, StandardCharsets.UTF_8));
      for (String line; (line = lines.readLine()) != null; ) files.add(line);
      return files;
    }
  }

  /** Each after those that it needs: the system's loader then finds these by their names, wherever they lie. */
  private static void load(Path directory, List<String> files) {
    for (String file : files) {
      try {
        System.load(directory.resolve(file).toString());
      } catch (UnsatisfiedLinkError e) {
        UnsatisfiedLinkError told = new UnsatisfiedLinkError(e.getMessage()
            + " (where the temporary directory allows no programs, set java.io.tmpdir to one that does)");
        told.initCause(e);
        throw told;
      }
    }
  }
}
