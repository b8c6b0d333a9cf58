package io.kq.internal;

import io.kq.KqException;

/** Called by native/jvm.hpp to make an exception of a kq_error. */
final class Failures {
  private Failures() {}

  static KqException make(int code, int verdict, byte[] name, byte[] message, byte[] topic, int partition) {
    return KqException.of(code, KqException.Verdict.values()[verdict], Utf8.string(name), Utf8.string(message), Utf8.string(topic), partition);
  }
}
