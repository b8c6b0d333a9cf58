package kq

import (
	"unsafe"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

const (
	arenaRecordsMax = 1024
	arenaBytes      = 64 << 10
)

// arena is where records gather on their way to C: an array of kq_record, and what they point to, both in C's memory, so that a call
// hands over all of them as they lie.
type arena struct {
	records []ckq.OutRecord
	bytes   []byte
	sent    int // of count, have been handed over already
	count   int
	used    int
}

func newArena(bytes int) *arena {
	return &arena{
		records: unsafe.Slice((*ckq.OutRecord)(ckq.Malloc(arenaRecordsMax*ckq.OutRecordSize)), arenaRecordsMax),
		bytes:   unsafe.Slice((*byte)(ckq.Malloc(uintptr(bytes))), bytes),
	}
}

func (a *arena) free() {
	ckq.Free(unsafe.Pointer(unsafe.SliceData(a.records)))
	ckq.Free(unsafe.Pointer(unsafe.SliceData(a.bytes)))
}

func (a *arena) clear()      { a.sent, a.count, a.used = 0, 0, 0 }
func (a *arena) empty() bool { return a.sent == a.count }

// How many bytes of an arena a record takes.
func arenaNeed(r *Record) int {
	need := len(r.Key) + len(r.Value)
	if len(r.Headers) > 0 {
		need += int(ckq.OutHeaderSize)*len(r.Headers) + 8
		for i := range r.Headers {
			need += len(r.Headers[i].Key) + len(r.Headers[i].Value)
		}
	}
	return need
}

func (a *arena) fits(need int) bool { return a.count < len(a.records) && need <= len(a.bytes)-a.used }

// add copies a record that fits.
func (a *arena) add(topic unsafe.Pointer, partition int32, tag uint64, r *Record) {
	out := &a.records[a.count]
	out.Size = ckq.OutRecordSize
	out.Topic = uintptr(topic)
	out.Partition = partition
	out.Offset = -1
	out.TimestampMs = -1
	if !r.Timestamp.IsZero() {
		out.TimestampMs = r.Timestamp.UnixMilli()
	}
	out.Key, out.KeyLen = a.copy(r.Key)
	out.Value, out.ValueLen = a.copy(r.Value)
	out.Headers, out.HeaderCount = 0, 0
	if len(r.Headers) > 0 {
		out.Headers, out.HeaderCount = a.addHeaders(r.Headers), uintptr(len(r.Headers))
	}
	out.Tag = tag
	out.LeaderEpoch, out.DeliveryCount, out.TimestampType = -1, 0, 0
	a.count++
}

// Where C finds a copy of the bytes; of nil, nowhere.
func (a *arena) copy(from []byte) (at, size uintptr) {
	if from == nil {
		return 0, 0
	}
	at = uintptr(unsafe.Pointer(unsafe.SliceData(a.bytes))) + uintptr(a.used)
	a.used += copy(a.bytes[a.used:], from)
	return at, uintptr(len(from))
}

func (a *arena) addHeaders(headers []Header) uintptr {
	a.used = (a.used + 7) &^ 7
	array := unsafe.Slice((*ckq.OutHeader)(unsafe.Pointer(&a.bytes[a.used])), len(headers))
	a.used += int(ckq.OutHeaderSize) * len(headers)
	for i := range headers {
		array[i].Key, array[i].KeyLen = a.copy(unsafe.Slice(unsafe.StringData(headers[i].Key), len(headers[i].Key)))
		if array[i].Key == 0 {
			array[i].Key = uintptr(unsafe.Pointer(unsafe.SliceData(a.bytes))) // an empty name is no missing one
		}
		array[i].Value, array[i].ValueLen = a.copy(headers[i].Value)
	}
	return uintptr(unsafe.Pointer(unsafe.SliceData(array)))
}
