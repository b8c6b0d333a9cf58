package kq

import (
	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

func forC(partitions []TopicPartition) ([]ckq.Partition, error) {
	list := make([]ckq.Partition, len(partitions))
	for i, each := range partitions {
		if each.Topic == "" {
			return nil, wrongArgument("a partition has no topic")
		}
		if err := checkText("partition", each.Topic, each.Metadata); err != nil {
			return nil, err
		}
		list[i] = ckq.Partition{Topic: each.Topic, Partition: each.Partition, Offset: each.Offset, LeaderEpoch: each.LeaderEpoch,
			Metadata: each.Metadata, HasMetadata: each.Metadata != ""}
		if each.LeaderEpoch <= 0 {
			list[i].LeaderEpoch = -1
		}
	}
	return list, nil
}

// Go's zero value says "not known", as C's -1 does; epoch 0 is not worth telling from it.
func epochToGo(epoch int32) int32 { return max(epoch, 0) }
