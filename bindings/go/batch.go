package kq

import (
	"iter"
	"strings"
	"time"
	"unsafe"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// Batch is what one poll gave: records of one or several partitions, those of a partition in order.
type Batch struct {
	Records []Record
	native  ckq.Batch // with WithZeroCopy, what the records point into
}

// All gives the batch's records, for range.
func (b *Batch) All() iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		for i := range b.Records {
			if !yield(&b.Records[i]) {
				return
			}
		}
	}
}

// hand gives the records to a loop.  Where that is left, by a panic too, putBack learns how many it had.
func (b *Batch) hand(yield func(*Record, error) bool, putBack func(b *Batch, read int)) (all bool) {
	read := 0
	defer func() {
		if !all {
			putBack(b, read)
		}
	}()
	for read < len(b.Records) {
		read++
		if !yield(&b.Records[read-1], nil) {
			return false
		}
	}
	return true
}

// Next tells where the group would go on after this batch: what Commit of it commits, the last offset of each partition + 1.
func (b *Batch) Next() []TopicPartition { return nextOffsets(b.Records) }

// Release gives the batch's memory back where the consumer has WithZeroCopy; its records must not be looked at any more.  Else it does
// nothing.
func (b *Batch) Release() {
	if b.native != nil {
		ckq.BatchFree(b.native)
		b.native, b.Records = nil, nil
	}
}

// The last offset of each partition + 1, in the order of first sight.
func nextOffsets(records []Record) []TopicPartition {
	var next []TopicPartition
	for i := range records {
		r := &records[i]
		if last := i + 1; last < len(records) && records[last].Partition == r.Partition && records[last].Topic == r.Topic {
			continue
		}
		at := find(next, r.Topic, r.Partition)
		if at < 0 {
			at = len(next)
			next = append(next, TopicPartition{Topic: r.Topic, Partition: r.Partition})
		}
		next[at].Offset, next[at].LeaderEpoch = r.Offset+1, epochToGo(r.LeaderEpoch)
	}
	return next
}

// The first offset of each partition.
func firstOffsets(records []Record) []TopicPartition {
	var first []TopicPartition
	for i := range records {
		r := &records[i]
		if i > 0 && records[i-1].Partition == r.Partition && records[i-1].Topic == r.Topic {
			continue
		}
		if find(first, r.Topic, r.Partition) < 0 {
			first = append(first, TopicPartition{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset})
		}
	}
	return first
}

func find(in []TopicPartition, topic string, partition int32) int {
	for i := range in {
		if in[i].Partition == partition && in[i].Topic == topic {
			return i
		}
	}
	return -1
}

// reader makes Go records of C's rows.  Topics are made once.
type reader struct {
	topics map[string]string
	reused []Record // with zero copy, while no batch that is out has it
}

// topic gives a Go string for C's, always the same one.
func (r *reader) topic(name unsafe.Pointer) string {
	text := ckq.Borrow(name)
	if known, ok := r.topics[text]; ok {
		return known
	}
	own := string([]byte(text))
	r.topics[own] = own
	return own
}

// copied gives records in memory of their own: two allocations, however many records there are.
func (r *reader) copied(polled ckq.Polled) []Record {
	rows := polled.Rows()
	block := unzeroed(polled.Bytes())
	headers := make([]Header, 0, polled.Headers())
	records := make([]Record, len(rows))
	take := func(at unsafe.Pointer, size int32) []byte {
		if at == nil {
			return nil
		}
		from := len(block)
		block = append(block, unsafe.Slice((*byte)(at), int(size))...)
		return block[from:len(block):len(block)]
	}
	var name unsafe.Pointer
	var topic string
	for i := range rows {
		row, to := &rows[i], &records[i]
		if row.Topic != name {
			name, topic = row.Topic, r.topic(row.Topic)
		}
		to.Topic = topic
		fill(to, row)
		if row.Key != nil {
			to.Key = take(row.Key, row.KeyLen)
		}
		if row.Value != nil {
			to.Value = take(row.Value, row.ValueLen)
		}
		if row.HeaderCount == 0 {
			continue
		}
		first := len(headers)
		for _, header := range unsafe.Slice((*ckq.Header)(row.Headers), int(row.HeaderCount)) {
			key := take(header.Key, int32(header.KeyLen))
			headers = append(headers, Header{unsafe.String(unsafe.SliceData(key), len(key)), take(header.Value, int32(header.ValueLen))})
		}
		to.Headers = headers[first:len(headers):len(headers)]
	}
	return records
}

// unzeroed gives room for so many bytes that are about to be written: a builder, unlike make, does not clear it before.
func unzeroed(size int) []byte {
	var b strings.Builder
	b.Grow(size + 1)
	b.WriteByte(0) // an empty string need not point anywhere
	return unsafe.Slice(unsafe.StringData(b.String()), size)[:0]
}

// borrowed gives records that point into C's batch.
func (r *reader) borrowed(polled ckq.Polled) []Record {
	rows := polled.Rows()
	records := r.reused
	if r.reused = nil; cap(records) < len(rows) {
		records = make([]Record, len(rows))
	}
	records = records[:len(rows)]
	var name unsafe.Pointer
	var topic string
	for i := range rows {
		row, to := &rows[i], &records[i]
		if row.Topic != name {
			name, topic = row.Topic, r.topic(row.Topic)
		}
		to.Topic = topic
		fill(to, row)
		to.Key, to.Value, to.Headers = borrow(row.Key, row.KeyLen), borrow(row.Value, row.ValueLen), nil
		if row.HeaderCount == 0 {
			continue
		}
		to.Headers = make([]Header, 0, row.HeaderCount)
		for _, header := range unsafe.Slice((*ckq.Header)(row.Headers), int(row.HeaderCount)) {
			to.Headers = append(to.Headers, Header{string(borrow(header.Key, int32(header.KeyLen))), borrow(header.Value, int32(header.ValueLen))})
		}
	}
	return records
}

func borrow(at unsafe.Pointer, size int32) []byte {
	if at == nil {
		return nil
	}
	return unsafe.Slice((*byte)(at), int(size))
}

func fill(to *Record, row *ckq.Row) {
	to.Partition = row.Partition
	to.Offset = row.Offset
	to.Timestamp = time.UnixMilli(row.TimestampMs)
	to.LeaderEpoch = row.LeaderEpoch
	to.LogAppendTime = row.TimestampType == ckq.LogAppendTime
	to.DeliveryCount = row.DeliveryCount
}
