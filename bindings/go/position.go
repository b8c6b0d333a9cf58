package kq

import (
	"context"
	"time"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// Seek goes on at another offset.  No later poll gives a record from before it.
func (c *Consumer) Seek(topic string, partition int32, offset int64) error {
	if err := checkText("topic", topic); err != nil {
		return err
	}
	c.forget(topic, partition)
	return c.call(func() ckq.Error { return ckq.ConsumerSeek(c.native, topic, partition, offset) })
}

// Pause has polls give nothing of a partition, which stays assigned.
func (c *Consumer) Pause(topic string, partition int32) error {
	if err := checkText("topic", topic); err != nil {
		return err
	}
	if from, dropped := c.forget(topic, partition); dropped {
		if err := c.Seek(topic, partition, from); err != nil {
			return err
		}
	}
	return c.call(func() ckq.Error { return ckq.ConsumerPause(c.native, topic, partition) })
}

// Resume ends a Pause.
func (c *Consumer) Resume(topic string, partition int32) error {
	if err := checkText("topic", topic); err != nil {
		return err
	}
	return c.call(func() ckq.Error { return ckq.ConsumerResume(c.native, topic, partition) })
}

// Position is the offset of the next record that a poll will give, or a special offset while that is not resolved.
func (c *Consumer) Position(topic string, partition int32) (offset int64, err error) {
	if err := checkText("topic", topic); err != nil {
		return 0, err
	}
	err = c.call(func() ckq.Error { return ckq.ConsumerPosition(c.native, topic, partition, &offset) })
	return offset, err
}

// Partitions tells how many partitions a topic has.
func (c *Consumer) Partitions(ctx context.Context, topic string) (int, error) {
	if err := checkContext(ctx); err != nil {
		return 0, err
	}
	if err := checkText("topic", topic); err != nil {
		return 0, err
	}
	return result(ctx, &c.handle, func(timeoutMs int32) (int, ckq.Error) {
		var count int32
		failure := ckq.ConsumerPartitionCount(c.native, topic, timeoutMs, &count)
		return int(count), failure
	})
}

// Assignment is a partition that is assigned, and how far it is read.
type Assignment struct {
	Topic     string
	Partition int32
	Position  int64 // of the next record; below 0: not resolved yet
	EndOffset int64 // -1: not known yet
	Lag       int64 // -1: not known yet
	Paused    bool
}

// Assignment tells all that is assigned.
func (c *Consumer) Assignment() ([]Assignment, error) {
	var rows ckq.Rows
	if err := c.call(func() ckq.Error { return ckq.ConsumerAssignment(c.native, &rows) }); err != nil {
		return nil, err
	}
	defer ckq.RowsFree(rows)
	list := make([]Assignment, ckq.RowsCount(rows))
	for i := range list {
		row := row{rows, i}
		list[i] = Assignment{Topic: row.text("topic"), Partition: int32(row.number("partition")), Position: row.number("position"),
			EndOffset: row.number("end_offset"), Lag: row.number("lag"), Paused: row.number("paused") == 1}
	}
	return list, nil
}

// OffsetsAt finds the first offset at or after a point in time in each partition; -1 where there is none.
func (c *Consumer) OffsetsAt(ctx context.Context, at time.Time, partitions ...TopicPartition) ([]TopicPartition, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	list, err := forC(partitions)
	if err != nil {
		return nil, err
	}
	return result(ctx, &c.handle, func(timeoutMs int32) ([]TopicPartition, ckq.Error) {
		failure := ckq.ConsumerOffsetsAt(c.native, at.UnixMilli(), list, timeoutMs)
		if failure != nil {
			return nil, failure
		}
		found := make([]TopicPartition, len(list))
		for i, each := range list {
			found[i] = TopicPartition{Topic: each.Topic, Partition: each.Partition, Offset: each.Offset, LeaderEpoch: epochToGo(each.LeaderEpoch)}
		}
		return found, nil
	})
}
