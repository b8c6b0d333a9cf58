// Package ckq is kq's C interface: functions made by SWIG (ckq.go), and by hand what crosses the border by the batch (this file,
// hot.c).  It knows nothing of ownership: package kq does.
package ckq

/*
#cgo !kq_static pkg-config: kq
#cgo kq_static pkg-config: --static kq
#cgo kq_static LDFLAGS: -Wl,-Bstatic -lkq -Wl,-Bdynamic -Wl,--as-needed
#cgo CFLAGS: -O2
#include "hot.h"
#include <stdlib.h>
#include <string.h>

static const char *ckq_text(uintptr_t at) { return (const char *)at; }
*/
import "C"

import "unsafe"

//go:generate ../generate.sh

// Kinds of batches, events and special offsets, as kq.h has them.
const (
	Records    = C.KQ_RECORDS
	Deliveries = C.KQ_DELIVERIES
	Assigned   = C.KQ_ASSIGNED
	Revoked    = C.KQ_REVOKED
	Lost       = C.KQ_LOST
	Event      = C.KQ_EVENT

	EndOfPartition = C.KQ_END_OF_PARTITION
	Committed      = C.KQ_COMMITTED
	Acknowledged   = C.KQ_ACKNOWLEDGED

	Accept  = C.KQ_ACCEPT
	Release = C.KQ_RELEASE
	Reject  = C.KQ_REJECT
	Renew   = C.KQ_RENEW

	LogAppendTime = C.KQ_LOG_APPEND_TIME

	Latest       = C.KQ_LATEST
	Earliest     = C.KQ_EARLIEST
	MaxTimestamp = C.KQ_MAX_TIMESTAMP
	Default      = C.KQ_DEFAULT
)

// Row is ckq_row: a received record, an event's row, or a delivery.  It lies in C's memory, and what it points to is the batch's.
type Row struct {
	Topic                                                 unsafe.Pointer
	Key, Value                                            unsafe.Pointer
	Headers                                               unsafe.Pointer
	Error                                                 Error
	Offset, TimestampMs                                   int64
	Tag                                                   uint64
	KeyLen, ValueLen, HeaderCount, Partition, LeaderEpoch int32
	DeliveryCount                                         int16
	TimestampType                                         int8
	_                                                     int8
}

// Header is kq_header.
type Header struct {
	Key      unsafe.Pointer
	KeyLen   uintptr
	Value    unsafe.Pointer
	ValueLen uintptr
}

// OutRecord is kq_record as a producer fills it in.  Its pointers are words: what they point to is C's memory, of no concern to the
// garbage collector.
type OutRecord struct {
	Size          uintptr
	Topic         uintptr
	Partition     int32
	_             int32
	Offset        int64
	TimestampMs   int64
	Key           uintptr
	KeyLen        uintptr
	Value         uintptr
	ValueLen      uintptr
	Headers       uintptr
	HeaderCount   uintptr
	Tag           uint64
	LeaderEpoch   int32
	DeliveryCount int16
	TimestampType int8
	_             int8
}

// OutHeader is kq_header as a producer fills it in.
type OutHeader struct{ Key, KeyLen, Value, ValueLen uintptr }

const (
	OutRecordSize = unsafe.Sizeof(OutRecord{})
	OutHeaderSize = unsafe.Sizeof(OutHeader{})
)

// The structs above are those of C, or this does not compile.
var (
	_ = [1]struct{}{}[unsafe.Sizeof(Row{})-unsafe.Sizeof(C.ckq_row{})]
	_ = [1]struct{}{}[unsafe.Offsetof(Row{}.TimestampType)-unsafe.Offsetof(C.ckq_row{}.timestamp_type)]
	_ = [1]struct{}{}[unsafe.Offsetof(Row{}.KeyLen)-unsafe.Offsetof(C.ckq_row{}.key_len)]
	_ = [1]struct{}{}[unsafe.Offsetof(OutRecord{}.Tag)-unsafe.Offsetof(C.kq_record{}.tag)]
	_ = [1]struct{}{}[unsafe.Offsetof(OutRecord{}.TimestampType)-unsafe.Offsetof(C.kq_record{}.timestamp_type)]
	_ = [1]struct{}{}[unsafe.Offsetof(OutRecord{}.ValueLen)-unsafe.Offsetof(C.kq_record{}.value_len)]
	_ = [1]struct{}{}[unsafe.Sizeof(Header{})-unsafe.Sizeof(C.kq_header{})]
	_ = [1]struct{}{}[unsafe.Sizeof(OutHeader{})-unsafe.Sizeof(C.kq_header{})]
)

// Polled is what a poll gave.  One goroutine's at a time.
type Polled struct{ c *C.ckq_polled }

func NewPolled() Polled {
	return Polled{(*C.ckq_polled)(C.calloc(1, C.sizeof_ckq_polled))}
}

func (p Polled) Free()        { C.ckq_polled_free(p.c) }
func (p Polled) Clear()       { C.ckq_polled_clear(p.c) }
func (p Polled) Kind() int    { return int(p.c.kind) }
func (p Polled) Event() int   { return int(p.c.event) }
func (p Polled) Count() int   { return int(p.c.record_count) }
func (p Polled) Headers() int { return int(p.c.header_count) }
func (p Polled) Bytes() int   { return int(p.c.payload_bytes) }

// TakeBatch hands the batch to the caller, who frees it.
func (p Polled) TakeBatch() Batch {
	batch := Batch(p.c.batch)
	p.c.batch = nil
	return batch
}

// TakeError hands the error to the caller, who frees it.
func (p Polled) TakeError() Error {
	failure := Error(p.c.error)
	p.c.error = nil
	return failure
}

// Rows live until the next poll into p, what they point to until the batch is freed.
func (p Polled) Rows() []Row {
	return unsafe.Slice((*Row)(unsafe.Pointer(p.c.rows)), int(p.c.row_count))
}

// Poll polls without waiting, after freeing a batch that is done with.
func (p Polled) Poll(consumer Consumer, done Batch) bool {
	return C.ckq_poll((*C.kq_consumer)(consumer), (*C.kq_batch)(done), p.c) != 0
}

// SharePoll is Poll of a share consumer, after accepting the first `accept` records of the batch that is done with.
func (p Polled) SharePoll(consumer ShareConsumer, done Batch, accept int) bool {
	return C.ckq_share_poll((*C.kq_share_consumer)(consumer), (*C.kq_batch)(done), C.size_t(accept), p.c) != 0
}

// ShareAccept accepts the first records of a batch, but for those that were acknowledged already.
func ShareAccept(consumer ShareConsumer, batch Batch, count int) {
	C.ckq_share_accept((*C.kq_share_consumer)(consumer), (*C.kq_batch)(batch), C.size_t(count))
}

// ShareAcknowledge acknowledges records of a partition; the topic's name ends in a zero.
func ShareAcknowledge(consumer ShareConsumer, topic []byte, partition int32, offsets []int64, how int) Error {
	return Error(C.ckq_share_acknowledge((*C.kq_share_consumer)(consumer), (*C.char)(unsafe.Pointer(unsafe.SliceData(topic))), C.int32_t(partition),
		(*C.int64_t)(unsafe.Pointer(unsafe.SliceData(offsets))), C.size_t(len(offsets)), C.kq_acknowledge(how)))
}

// PollDeliveries polls without waiting; with tagged, tagged deliveries have rows and not only failed ones.
func (p Polled) PollDeliveries(producer Producer, tagged bool) bool {
	want := C.int(0)
	if tagged {
		want = 1
	}
	return C.ckq_deliveries((*C.kq_producer)(producer), want, p.c) != 0
}

// SendMany hands over the first of `count` records, which lie in C's memory, until one cannot be sent.
func SendMany(producer Producer, records unsafe.Pointer, count int) (sent int, failure Error) {
	var done C.size_t
	failure = Error(C.kq_producer_send_many((*C.kq_producer)(producer), (*C.kq_record)(records), C.size_t(count), &done))
	return int(done), failure
}

// Malloc gives memory that C may keep pointers to.  It never gives nil: cgo ends the program where C has none.
func Malloc(size uintptr) unsafe.Pointer { return C.malloc(C.size_t(size)) }
func Free(memory unsafe.Pointer)         { C.free(memory) }

// CString gives a copy of a string, to be freed by Free.
func CString(text string) unsafe.Pointer { return unsafe.Pointer(C.CString(text)) }

// String copies a C string; nil is empty.
func String(text unsafe.Pointer) string { return C.GoString((*C.char)(text)) }

// StringAt is String of a pointer that is kept as a word, as those of an OutRecord are.
func StringAt(text uintptr) string { return C.GoString(C.ckq_text(C.uintptr_t(text))) }

// NewError makes package kq's error of C's, and frees that.  Package kq sets it.
var NewError func(Error) error

// Borrow gives a C string as it lies there: for a look, not to keep.
func Borrow(text unsafe.Pointer) string {
	return unsafe.String((*byte)(text), int(C.strlen((*C.char)(text))))
}
