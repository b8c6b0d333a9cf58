package io.kq.internal;

import java.nio.charset.StandardCharsets;

/** Text on its way over JNI, whose own UTF-8 is not everybody's. */
final class Utf8 {
  private Utf8() {}

  static byte[] bytes(String text) {
    if (text == null) return null;
    if (text.indexOf('\0') >= 0) throw new IllegalArgumentException("a text for kq has no character U+0000: \"" + text.replace('\0', '?') + '"');
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static byte[][] bytes(String[] texts) {
    byte[][] all = new byte[texts.length][];
    for (int i = 0; i < texts.length; i++) {
      if (texts[i] == null) throw new IllegalArgumentException("element " + i + " of the list is null");
      all[i] = bytes(texts[i]);
    }
    return all;
  }

  static String string(byte[] text) {
    return text == null ? null : new String(text, StandardCharsets.UTF_8);
  }
}
