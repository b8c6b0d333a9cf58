package kq

import (
	"context"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// Rebalance is what a group gives or takes.
type Rebalance struct {
	Kind       RebalanceKind
	Partitions []TopicPartition
}

// RebalanceKind says which.
type RebalanceKind int

const (
	Assigned RebalanceKind = ckq.Assigned // added; a Seek in the handler is in time
	Revoked  RebalanceKind = ckq.Revoked  // given up when the handler returns; until then what was read of them can be committed
	Lost     RebalanceKind = ckq.Lost     // they belong to others already: do not commit
)

func (k RebalanceKind) String() string {
	switch k {
	case Assigned:
		return "assigned"
	case Revoked:
		return "revoked"
	case Lost:
		return "lost"
	}
	return "unknown"
}

func (c *Consumer) rebalanced(ctx context.Context) error {
	kind := RebalanceKind(c.polled.Kind())
	if kind != Assigned && kind != Revoked && kind != Lost || c.onRebalance == nil {
		return nil
	}
	event := Rebalance{Kind: kind}
	for _, row := range c.polled.Rows() {
		event.Partitions = append(event.Partitions, TopicPartition{Topic: c.reader.topic(row.Topic), Partition: row.Partition, Offset: OffsetDefault})
	}
	return c.onRebalance(ctx, c, event)
}
