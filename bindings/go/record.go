package kq

import (
	"bytes"
	"time"
)

// Record is a record to send, or one received.
//
// To send, Topic and whatever of Key, Value, Headers and Timestamp there is to say are looked at, and Partition where
// WithManualPartitions was given; a received record can be sent on as it is, under another Topic.
//
// Of a received record, Key, Value and Headers share a block of memory with the other records of its batch: keeping one keeps
// them all.  Clone makes a copy of its own.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Timestamp time.Time // to send, the zero time is now
	Key       []byte    // nil: no key (an empty one is no nil)
	Value     []byte    // nil: a tombstone
	Headers   []Header

	// Filled in by consumption alone.
	LeaderEpoch   int32
	LogAppendTime bool  // the timestamp is the broker's, not the producer's
	DeliveryCount int16 // share groups: 1 at first; else 0
}

// Header is a name and a value beside a record.
type Header struct {
	Key   string
	Value []byte // nil: no value
}

// Header gives the value of the last header with this name.
func (r *Record) Header(key string) ([]byte, bool) {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == key {
			return r.Headers[i].Value, true
		}
	}
	return nil, false
}

// Clone copies the record with all that it points to.
func (r *Record) Clone() *Record {
	clone := *r
	clone.Key, clone.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
	clone.Headers = nil
	for _, header := range r.Headers {
		clone.Headers = append(clone.Headers, Header{string([]byte(header.Key)), bytes.Clone(header.Value)})
	}
	return &clone
}

// TopicPartition is a partition, and where in it.
type TopicPartition struct {
	Topic     string
	Partition int32
	Offset    int64  // or one of the special offsets below
	Metadata  string // to commit: a note beside the offset
	// LeaderEpoch is of the record before Offset; 0 or less: not known.
	LeaderEpoch int32
}

// In place of an offset.
const (
	OffsetLatest   int64 = -1    // the end: only what comes from now on
	OffsetEarliest int64 = -2    // the first record that is still there
	OffsetDefault  int64 = -1000 // what the group has committed, else what auto.offset.reset says
)

// Delivery is what became of a record that was sent.
type Delivery struct {
	Topic     string
	Partition int32
	Offset    int64     // -1: not known (acks=0), or not delivered
	Timestamp time.Time // the broker's with message.timestamp.type=LogAppendTime
	Err       error     // nil: it was acknowledged
}
