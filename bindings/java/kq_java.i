/* kq_java.i: the JNI low level of the Java binding, io.kq.internal.Native.
 *
 * A handle is a long, and its owner is a hand-written class of io.kq.  An error is a KqException by its verdict.  Where the C
 * function gives something by `X **out`, the Java method returns it.  Records and deliveries cross by native/flat.h. */
%module(jniclassname="NativeJNI") Native
%include "enumtypeunsafe.swg"
%javaconst(1);

%{
#include "native/flat.h"
#include "native/jvm.hpp"
%}

%pragma(java) jniclasscode=%{
  static {
    Library.load();
  }
%}

/* ---- errors -------------------------------------------------------------------------------------------------------------------- */

%typemap(jni)     kq_error * "jlong"
%typemap(jtype)   kq_error * "long"
%typemap(jstype)  kq_error * "long"
%typemap(javaout) kq_error * { return $jnicall; }
%typemap(out)     kq_error * %{ $result = 0; if ($1) kq::java::raise(jenv, $1); %}

%typemap(jni)     const kq_error * "jobject"
%typemap(jtype)   const kq_error * "io.kq.KqException"
%typemap(jstype)  const kq_error * "io.kq.KqException"
%typemap(javaout) const kq_error * { return $jnicall; }
%typemap(out)     const kq_error * %{ $result = $1 ? kq::java::exception(jenv, $1) : nullptr; %}

/* ---- text: UTF-8 as the rest of the world writes it, where JNI has a form of its own ---------------------------------------------- */

%typemap(jni)     const char * "jbyteArray"
%typemap(jtype)   const char * "byte[]"
%typemap(jstype)  const char * "String"
%typemap(javain)  const char * "Utf8.bytes($javainput)"
%typemap(javaout) const char * { return Utf8.string($jnicall); }
%typemap(in)      const char * (kq::java::Text text) %{ text = kq::java::Text(jenv, $input); $1 = const_cast<char *>(text.get()); %}
%typemap(out)     const char * %{ $result = kq::java::bytes(jenv, $1); %}
%typemap(freearg) const char * ""
%typemap(memberout) const char * "$result = $1;"

/* ---- handles ------------------------------------------------------------------------------------------------------------------- */

%define KQ_HANDLE(TYPE)
%typemap(jni)     TYPE *, const TYPE * "jlong"
%typemap(jtype)   TYPE *, const TYPE * "long"
%typemap(jstype)  TYPE *, const TYPE * "long"
%typemap(javain)  TYPE *, const TYPE * "$javainput"
%typemap(javaout) TYPE *, const TYPE * { return $jnicall; }
%typemap(in)      TYPE *, const TYPE * %{ $1 = reinterpret_cast<TYPE *>($input); %}
%typemap(out)     TYPE *, const TYPE * %{ $result = reinterpret_cast<jlong>($1); %}
%typemap(in, numinputs=0) TYPE ** (TYPE *made = nullptr) "$1 = &made;"
%typemap(argout)  TYPE ** "$result = reinterpret_cast<jlong>(*$1);"
%enddef
KQ_HANDLE(kq_config)
KQ_HANDLE(kq_batch)
KQ_HANDLE(kq_producer)
KQ_HANDLE(kq_consumer)
KQ_HANDLE(kq_share_consumer)
KQ_HANDLE(kq_group_metadata)
KQ_HANDLE(kq_admin)
KQ_HANDLE(kq_request)
KQ_HANDLE(kq_rows)
KQ_HANDLE(kq_broker)

%typemap(in, numinputs=0) int32_t *out (int32_t made = 0), int64_t *out (int64_t made = 0) "$1 = &made;"
%typemap(argout)          int32_t *out, int64_t *out "$result = *$1;"

/* A tag is 64 bits of ours, and no number. */
%apply int64_t { uint64_t };

/* ---- lists --------------------------------------------------------------------------------------------------------------------- */

/* io.kq.internal.Flat lays partitions out as kq_flat_partitions reads them. */
%typemap(jni)    (const kq_topic_partition *, size_t) "jbyteArray"
%typemap(jtype)  (const kq_topic_partition *, size_t) "byte[]"
%typemap(jstype) (const kq_topic_partition *, size_t) "byte[]"
%typemap(javain) (const kq_topic_partition *, size_t) "$javainput"
%typemap(in)     (const kq_topic_partition *, size_t) (kq::java::Partitions list) %{
  list = kq::java::Partitions(jenv, $input);
  $1 = const_cast<kq_topic_partition *>(list.data());
  $2 = list.size();
%}
%apply (const kq_topic_partition *, size_t) {
  (const kq_topic_partition *partitions, size_t partitions_len), (const kq_topic_partition *offsets, size_t offsets_len)
};

%typemap(jni)    (const char *const *topics, size_t topics_len) "jobjectArray"
%typemap(jtype)  (const char *const *topics, size_t topics_len) "byte[][]"
%typemap(jstype) (const char *const *topics, size_t topics_len) "String[]"
%typemap(javain) (const char *const *topics, size_t topics_len) "Utf8.bytes($javainput)"
%typemap(in)     (const char *const *topics, size_t topics_len) (kq::java::Texts list) %{
  list = kq::java::Texts(jenv, $input);
  $1 = const_cast<char **>(list.data());
  $2 = list.size();
%}

/* A direct buffer, whole. */
%typemap(jni)    (void *buffer, int64_t buffer_len) "jobject"
%typemap(jtype)  (void *buffer, int64_t buffer_len) "java.nio.ByteBuffer"
%typemap(jstype) (void *buffer, int64_t buffer_len) "java.nio.ByteBuffer"
%typemap(javain) (void *buffer, int64_t buffer_len) "$javainput"
%typemap(in)     (void *buffer, int64_t buffer_len) %{
  $1 = $input ? jenv->GetDirectBufferAddress($input) : nullptr;
  $2 = $1 ? jenv->GetDirectBufferCapacity($input) : 0;
%}

/* A window of the address space, as a direct buffer.  io.kq.internal.Memory says who may look through it. */
%typemap(jni)     kq_window "jobject"
%typemap(jtype)   kq_window "java.nio.ByteBuffer"
%typemap(jstype)  kq_window "java.nio.ByteBuffer"
%typemap(javaout) kq_window { return $jnicall; }
%typemap(out)     kq_window %{ $result = jenv->NewDirectByteBuffer($1.start, $1.length); %}

/* ---- what Java has no use for --------------------------------------------------------------------------------------------------- */

%rename("$ignore", regextarget=1) "^kq_error_";                   /* an error is a KqException at once */
%rename("$ignore", regextarget=1) "^kq_loop_";                    /* each handle has kq's own thread */
%rename("$ignore", regextarget=1) "_new_on$";
%rename("$ignore", regextarget=1) "^kq_.*_fd$";
%ignore kq_window;                                                /* a ByteBuffer, where it is a result */
%ignore kq_record;                                                /* records cross by native/flat.h, many at a time */
%ignore kq_header;
%ignore kq_topic_partition;
%ignore kq_batch_at;
%ignore kq_producer_send;
%ignore kq_producer_try_send;
%ignore kq_producer_send_many;
%ignore kq_producer_poll;
%ignore kq_consumer_offsets_at;                                   /* list_offsets tells the timestamps too */
%rename("$ignore", regextarget=1) "^kq_.*_statistics$";          /* Java asks its own tools */
%rename("$ignore", regextarget=1) "^kq_rows_json$";
%ignore kq_share_consumer_acknowledge_at;                         /* whole batches are acknowledged, run by run */
%ignore kq_admin_start;
%ignore kq_admin_poll;
%ignore kq_request_bytes;
%ignore kq_rows_bytes;
%rename("BatchKind") kq_batch_kind;
%rename("Event") kq_event;
%rename("Acknowledge") kq_acknowledge;
%rename("Option") kq_option;
%rename("Field") kq_field;

%include "kq.i"
%include "native/flat.h"
