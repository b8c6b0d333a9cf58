package kq

import (
	"context"
	"fmt"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// Accept says that records are done with.  Nothing is waited for: it is sent with the next poll, or by Commit.  One that is not held, or
// was acknowledged before, gives ErrInvalidRecordState; the others are accepted nevertheless.
func (c *ShareConsumer) Accept(records ...*Record) error { return c.acknowledge(ckq.Accept, records) }

// Release gives records back: they come again, to any member, until the group's limit of deliveries.
func (c *ShareConsumer) Release(records ...*Record) error { return c.acknowledge(ckq.Release, records) }

// Reject says that records cannot be handled, by anybody: they do not come again.
func (c *ShareConsumer) Reject(records ...*Record) error { return c.acknowledge(ckq.Reject, records) }

// Renew has the locks of records begin anew; they stay to be acknowledged.  Brokers can do that from Kafka 4.2 on.
func (c *ShareConsumer) Renew(records ...*Record) error { return c.acknowledge(ckq.Renew, records) }

// Commit sends at once what was acknowledged and waits for the answers.  Without WithExplicitAcknowledgement it accepts what was handed
// out, but for what a loop over Records has not come to.  What the broker did not take is an *AcknowledgeError.
func (c *ShareConsumer) Commit(ctx context.Context) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	if err := c.enter(); err != nil {
		return err
	}
	c.acceptRead(0)
	c.leave()
	failed, err := result(ctx, &c.handle, func(timeoutMs int32) ([]RecordRange, ckq.Error) {
		var rows ckq.Rows
		if failure := ckq.ShareConsumerCommit(c.native, timeoutMs, &rows); failure != nil {
			return nil, failure
		}
		defer ckq.RowsFree(rows)
		return failedRanges(rows), nil
	})
	if err != nil {
		return err
	}
	return acknowledgeError(failed)
}

// RecordRange is records that follow each other in a partition.
type RecordRange struct {
	Topic     string
	Partition int32
	First     int64
	Last      int64 // the last one's offset
	Err       error
}

// AcknowledgeError tells of acknowledgements that did not count: these records come again, unless they were accepted before.
type AcknowledgeError struct{ Failed []RecordRange }

func (e *AcknowledgeError) Error() string {
	first := e.Failed[0]
	more := ""
	if len(e.Failed) > 1 {
		more = fmt.Sprintf(" (and %d ranges more)", len(e.Failed)-1)
	}
	return fmt.Sprintf("kq: what was said of %s-%d @%d to @%d does not count%s: %v", first.Topic, first.Partition, first.First, first.Last, more, first.Err)
}

// Unwrap gives why the first of them failed.
func (e *AcknowledgeError) Unwrap() error { return e.Failed[0].Err }

func acknowledgeError(failed []RecordRange) error {
	if len(failed) == 0 {
		return nil
	}
	return &AcknowledgeError{failed}
}

func failedRanges(rows ckq.Rows) []RecordRange {
	var failed []RecordRange
	for i := range int(ckq.RowsCount(rows)) {
		row := row{rows, i}
		if err := row.failure(); err != nil {
			failed = append(failed, RecordRange{row.text("topic"), int32(row.number("partition")), row.number("first_offset"), row.number("last_offset"), err})
		}
	}
	return failed
}

// notAcknowledged is what an event says; nil for an event that says nothing of the kind.
func (c *ShareConsumer) notAcknowledged() error {
	if c.polled.Event() != ckq.Acknowledged {
		return nil
	}
	var failed []RecordRange
	for _, row := range c.polled.Rows() {
		if row.Error == nil {
			continue
		}
		topic := c.reader.topic(row.Topic)
		if last := len(failed) - 1; last >= 0 && failed[last].Topic == topic && failed[last].Partition == row.Partition && failed[last].Last+1 == row.Offset {
			failed[last].Last++
			continue
		}
		failed = append(failed, RecordRange{topic, row.Partition, row.Offset, row.Offset, borrowed(row.Error)})
	}
	return acknowledgeError(failed)
}
