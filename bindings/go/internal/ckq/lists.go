package ckq

/*
#include <kq/kq.h>
#include <stdlib.h>
*/
import "C"

import "unsafe"

// Partition is kq_topic_partition in Go's words.
type Partition struct {
	Topic       string
	Partition   int32
	Offset      int64
	LeaderEpoch int32
	Metadata    string
	HasMetadata bool
}

// The same in C's memory, for the time of a call.
type partitions struct {
	array *C.kq_topic_partition
	count C.size_t
}

func newPartitions(list []Partition) partitions {
	p := partitions{count: C.size_t(len(list))}
	if len(list) == 0 {
		return p
	}
	p.array = (*C.kq_topic_partition)(C.malloc(C.size_t(len(list)) * C.sizeof_kq_topic_partition))
	for i, each := range p.slice() {
		each.size = C.sizeof_kq_topic_partition
		each.topic = C.CString(list[i].Topic)
		each.partition = C.int32_t(list[i].Partition)
		each.offset = C.int64_t(list[i].Offset)
		each.leader_epoch = C.int32_t(list[i].LeaderEpoch)
		each.metadata = nil
		if list[i].HasMetadata {
			each.metadata = C.CString(list[i].Metadata)
		}
		p.slice()[i] = each
	}
	return p
}

func (p partitions) slice() []C.kq_topic_partition { return unsafe.Slice(p.array, int(p.count)) }

func (p partitions) free() {
	for _, each := range p.slice() {
		C.free(unsafe.Pointer(each.topic))
		C.free(unsafe.Pointer(each.metadata))
	}
	C.free(unsafe.Pointer(p.array))
}

func ConsumerAssign(consumer Consumer, list []Partition) Error {
	p := newPartitions(list)
	defer p.free()
	return Error(C.kq_consumer_assign((*C.kq_consumer)(consumer), p.array, p.count))
}

func ConsumerCommit(consumer Consumer, list []Partition, timeoutMs int32) Error {
	p := newPartitions(list)
	defer p.free()
	return Error(C.kq_consumer_commit((*C.kq_consumer)(consumer), p.array, p.count, C.int32_t(timeoutMs)))
}

func ConsumerStore(consumer Consumer, list []Partition) Error {
	p := newPartitions(list)
	defer p.free()
	return Error(C.kq_consumer_store((*C.kq_consumer)(consumer), p.array, p.count))
}

func ConsumerCommitted(consumer Consumer, list []Partition, timeoutMs int32) (rows Rows, failure Error) {
	p := newPartitions(list)
	defer p.free()
	var out *C.kq_rows
	failure = Error(C.kq_consumer_committed((*C.kq_consumer)(consumer), p.array, p.count, C.int32_t(timeoutMs), &out))
	return Rows(out), failure
}

// ConsumerOffsetsAt fills in the offsets and leader epochs of the list.
func ConsumerOffsetsAt(consumer Consumer, timestampMs int64, list []Partition, timeoutMs int32) Error {
	p := newPartitions(list)
	defer p.free()
	failure := Error(C.kq_consumer_offsets_at((*C.kq_consumer)(consumer), C.int64_t(timestampMs), p.array, p.count, C.int32_t(timeoutMs)))
	if failure == nil {
		for i, each := range p.slice() {
			list[i].Offset, list[i].LeaderEpoch = int64(each.offset), int32(each.leader_epoch)
		}
	}
	return failure
}

func ProducerSendOffsets(producer Producer, list []Partition, group GroupMetadata, timeoutMs int32) Error {
	p := newPartitions(list)
	defer p.free()
	return Error(C.kq_producer_send_offsets((*C.kq_producer)(producer), p.array, p.count, (*C.kq_group_metadata)(group), C.int32_t(timeoutMs)))
}

func ConsumerSubscribe(consumer Consumer, topics []string) Error {
	names, count, free := texts(topics)
	defer free()
	return Error(C.kq_consumer_subscribe((*C.kq_consumer)(consumer), names, count))
}

func ShareConsumerSubscribe(consumer ShareConsumer, topics []string) Error {
	names, count, free := texts(topics)
	defer free()
	return Error(C.kq_share_consumer_subscribe((*C.kq_share_consumer)(consumer), names, count))
}

// Strings in C's memory.
func texts(of []string) (names **C.char, count C.size_t, free func()) {
	names = (**C.char)(C.malloc(C.size_t(len(of)+1) * C.size_t(unsafe.Sizeof((*C.char)(nil)))))
	list := unsafe.Slice(names, len(of))
	for i, text := range of {
		list[i] = C.CString(text)
	}
	return names, C.size_t(len(of)), func() {
		for _, text := range list {
			C.free(unsafe.Pointer(text))
		}
		C.free(unsafe.Pointer(names))
	}
}

// RowsString tells null (false) from empty.
func RowsString(rows Rows, row int, column string) (string, bool) {
	name := C.CString(column)
	defer C.free(unsafe.Pointer(name))
	text := C.kq_rows_string((*C.kq_rows)(rows), C.size_t(row), name)
	return C.GoString(text), text != nil
}

func RowsBytes(rows Rows, row int, column string) []byte {
	name := C.CString(column)
	defer C.free(unsafe.Pointer(name))
	var size C.size_t
	data := C.kq_rows_bytes((*C.kq_rows)(rows), C.size_t(row), name, &size)
	if data == nil {
		return nil
	}
	return C.GoBytes(data, C.int(size))
}

func RequestBytes(request Request, key string, value []byte) Error {
	name := C.CString(key)
	defer C.free(unsafe.Pointer(name))
	return Error(C.kq_request_bytes((*C.kq_request)(request), name, unsafe.Pointer(unsafe.SliceData(value)), C.size_t(len(value))))
}

// Field is kq_field.
type Field struct {
	Name                        string
	Kind                        byte
	Nullable, Repeated, PerItem bool
	Default                     string
	HasDefault                  bool
	Doc                         string
}

func field(of *C.kq_field) (Field, bool) {
	if of == nil {
		return Field{}, false
	}
	return Field{Name: C.GoString(of.name), Kind: byte(of._type), Nullable: of.nullable != 0, Repeated: of.repeated != 0,
		PerItem: of.per_item != 0, Default: C.GoString(of.default_value), HasDefault: of.default_value != nil, Doc: C.GoString(of.doc)}, true
}

// OperationParameter and OperationColumn are false past the last.
func OperationParameter(operation string, index int) (Field, bool) {
	name := C.CString(operation)
	defer C.free(unsafe.Pointer(name))
	return field(C.kq_operation_parameter(name, C.size_t(index)))
}

func OperationColumn(operation string, index int) (Field, bool) {
	name := C.CString(operation)
	defer C.free(unsafe.Pointer(name))
	return field(C.kq_operation_column(name, C.size_t(index)))
}
