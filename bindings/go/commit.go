package kq

import (
	"context"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// Commit commits what has been handed out: all of it, but for what a loop over Records has not come to.
func (c *Consumer) Commit(ctx context.Context) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	var offsets []TopicPartition
	if unread := c.unreadOffsets(); unread != nil {
		assigned, err := c.Assignment()
		if err != nil {
			return err
		}
		for _, each := range assigned {
			if at := find(unread, each.Topic, each.Partition); at >= 0 {
				offsets = append(offsets, unread[at])
			} else if each.Position >= 0 {
				offsets = append(offsets, TopicPartition{Topic: each.Topic, Partition: each.Partition, Offset: each.Position})
			}
		}
	}
	return c.commit(ctx, offsets)
}

func (c *Consumer) unreadOffsets() []TopicPartition {
	c.unreadLock.Lock()
	defer c.unreadLock.Unlock()
	if c.unread == nil {
		return nil
	}
	return firstOffsets(c.unread.Records)
}

// CommitOffsets commits offsets, of the next record to read of each partition.
func (c *Consumer) CommitOffsets(ctx context.Context, offsets ...TopicPartition) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	if len(offsets) == 0 {
		return nil
	}
	return c.commit(ctx, offsets)
}

// CommitRecords commits that these records are done with, and so all before them in their partitions.
func (c *Consumer) CommitRecords(ctx context.Context, records ...*Record) error {
	var offsets []TopicPartition
	for _, r := range records {
		if r == nil {
			return wrongArgument("a record is nil")
		}
		if at := find(offsets, r.Topic, r.Partition); at < 0 {
			offsets = append(offsets, TopicPartition{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset + 1, LeaderEpoch: epochToGo(r.LeaderEpoch)})
		} else if offsets[at].Offset <= r.Offset {
			offsets[at].Offset, offsets[at].LeaderEpoch = r.Offset+1, epochToGo(r.LeaderEpoch)
		}
	}
	return c.CommitOffsets(ctx, offsets...)
}

func (c *Consumer) commit(ctx context.Context, offsets []TopicPartition) error {
	list, err := forC(offsets)
	if err != nil {
		return err
	}
	_, err = result(ctx, &c.handle, func(timeoutMs int32) (struct{}, ckq.Error) {
		return struct{}{}, ckq.ConsumerCommit(c.native, list, timeoutMs)
	})
	return err
}

// Store has auto-commit commit these offsets next: for enable.auto.offset.store=false.
func (c *Consumer) Store(offsets ...TopicPartition) error {
	list, err := forC(offsets)
	if err != nil {
		return err
	}
	return c.call(func() ckq.Error { return ckq.ConsumerStore(c.native, list) })
}

// Committed tells what the group has committed of these partitions, or of all that is assigned; Offset -1: nothing.
func (c *Consumer) Committed(ctx context.Context, partitions ...TopicPartition) ([]TopicPartition, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	list, err := forC(partitions)
	if err != nil {
		return nil, err
	}
	type answer struct {
		found []TopicPartition
		err   error
	}
	got, err := result(ctx, &c.handle, func(timeoutMs int32) (answer, ckq.Error) {
		rows, failure := ckq.ConsumerCommitted(c.native, list, timeoutMs)
		if failure != nil {
			return answer{}, failure
		}
		defer ckq.RowsFree(rows)
		var a answer
		for i := range int(ckq.RowsCount(rows)) {
			row := row{rows, i}
			if failure := row.failure(); failure != nil && a.err == nil {
				a.err = failure
			}
			a.found = append(a.found, TopicPartition{Topic: row.text("topic"), Partition: int32(row.number("partition")),
				Offset: row.number("offset"), LeaderEpoch: epochToGo(int32(row.number("leader_epoch"))), Metadata: row.text("metadata")})
		}
		return a, nil
	})
	if err == nil {
		err = got.err
	}
	return got.found, err
}
