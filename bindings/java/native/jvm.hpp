// jvm.hpp: what the typemaps of kq_java.i are made of.  Where Java's memory ends, an exception is pending already, and nothing more is
// done.
#pragma once

#include <jni.h>
#include <kq/kq.h>

#include <cstring>
#include <string>
#include <vector>

namespace kq::java {

inline jbyteArray bytes(JNIEnv* env, const char* text) {
  if (!text) return nullptr;
  const auto length = static_cast<jsize>(std::strlen(text));
  jbyteArray array = env->NewByteArray(length);
  if (array) env->SetByteArrayRegion(array, 0, length, reinterpret_cast<const jbyte*>(text));
  return array;
}

inline std::string text(JNIEnv* env, jbyteArray array) {
  std::string text(static_cast<size_t>(env->GetArrayLength(array)), '\0');
  env->GetByteArrayRegion(array, 0, static_cast<jsize>(text.size()), reinterpret_cast<jbyte*>(text.data()));
  return text;
}

// A string for the time of a call; null stays null.
class Text {
 public:
  Text() = default;
  Text(JNIEnv* env, jbyteArray array) : given_(array != nullptr), text_(array ? text(env, array) : std::string()) {}
  const char* get() const { return given_ ? text_.c_str() : nullptr; }

 private:
  bool given_ = false;
  std::string text_;
};

class Texts {
 public:
  Texts() = default;
  Texts(JNIEnv* env, jobjectArray array) {
    const jsize count = array ? env->GetArrayLength(array) : 0;
    texts_.reserve(static_cast<size_t>(count));
    for (jsize i = 0; i < count; ++i) {
      auto element = static_cast<jbyteArray>(env->GetObjectArrayElement(array, i));
      texts_.push_back(text(env, element));
      pointers_.push_back(texts_.back().c_str());
      env->DeleteLocalRef(element);
    }
  }
  Texts& operator=(Texts&&) = default;               // the strings stay where they are: the vector's memory moves as a whole
  const char** data() { return pointers_.data(); }
  size_t size() const { return pointers_.size(); }

 private:
  std::vector<std::string> texts_;
  std::vector<const char*> pointers_;
};

// Partitions as io.kq.internal.Flat writes them: i32 partition, i64 offset, i32 leader_epoch, the topic, the metadata (behind a 1,
// or a 0 for none); texts end with a zero.
class Partitions {
 public:
  Partitions() = default;
  Partitions(JNIEnv* env, jbyteArray array) {
    if (!array) return;
    bytes_ = text(env, array);
    for (const char *at = bytes_.data(), *end = at + bytes_.size(); at < end;) {
      kq_topic_partition& each = partitions_.emplace_back(kq_topic_partition KQ_TOPIC_PARTITION_INIT);
      at = take(at, each.partition);
      at = take(at, each.offset);
      at = take(at, each.leader_epoch);
      each.topic = at;
      at += std::strlen(at) + 1;
      if (*at++ == 0) continue;
      each.metadata = at;
      at += std::strlen(at) + 1;
    }
  }
  Partitions& operator=(Partitions&& other) {
    partitions_ = std::move(other.partitions_);
    const char* const was = other.bytes_.data();
    bytes_ = std::move(other.bytes_);
    for (kq_topic_partition& each : partitions_) {   // a short string's bytes move with it
      each.topic = bytes_.data() + (each.topic - was);
      if (each.metadata) each.metadata = bytes_.data() + (each.metadata - was);
    }
    return *this;
  }
  const kq_topic_partition* data() const { return partitions_.data(); }
  size_t size() const { return partitions_.size(); }

 private:
  template <class T>
  static const char* take(const char* at, T& value) {
    std::memcpy(&value, at, sizeof value);
    return at + sizeof value;
  }

  std::string bytes_;
  std::vector<kq_topic_partition> partitions_;
};

// A KqException that tells what the error does.
inline jobject exception(JNIEnv* env, const kq_error* error) {
  jclass failures = env->FindClass("io/kq/internal/Failures");
  if (!failures) return nullptr;
  jmethodID make = env->GetStaticMethodID(failures, "make", "(II[B[B[BI)Lio/kq/KqException;");
  if (!make) return nullptr;
  jbyteArray name = bytes(env, kq_error_name(error));
  jbyteArray message = bytes(env, kq_error_message(error));
  jbyteArray topic = bytes(env, kq_error_topic(error));
  if (env->ExceptionCheck()) return nullptr;
  jobject made = env->CallStaticObjectMethod(failures, make, static_cast<jint>(kq_error_code(error)),
                                             static_cast<jint>(kq_error_verdict(error)), name, message, topic,
                                             static_cast<jint>(kq_error_partition(error)));
  return env->ExceptionCheck() ? nullptr : made;
}

// Throws it, and frees the error.
inline void raise(JNIEnv* env, kq_error* error) {
  jobject thrown = exception(env, error);
  kq_error_free(error);
  if (thrown) env->Throw(static_cast<jthrowable>(thrown));
}

}  // namespace kq::java
