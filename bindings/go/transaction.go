package kq

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// Tx is an open transaction.  It is good until the function that Transact gave it to returns.
type Tx struct {
	core     *producerCore
	consumed []consumed
	over     bool
}

type consumed struct {
	consumer *Consumer
	from     []TopicPartition
}

// Transact runs a function in a transaction: what it sends, and the offsets it says are consumed, count as a whole when it
// returns nil, and not at all when it returns an error or panics.
//
// An error for which errors.Is(err, ErrAbort) says that the cluster did not let the transaction be committed; doing the work again may
// go well.  What was Consumed in a transaction that was aborted is polled again.  After ErrFatal (another producer has this
// transactional.id now) the producer has to be closed.
//
// It needs WithTransactionalID.  One transaction is open at a time; others wait for their turn.
func (p *Producer) Transact(ctx context.Context, work func(tx *Tx) error) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	if work == nil {
		return wrongArgument("the function is nil")
	}
	defer runtime.KeepAlive(p)
	if p.core == nil {
		return errNotMade
	}
	return p.core.transact(ctx, work)
}

func (c *producerCore) transact(ctx context.Context, work func(tx *Tx) error) (err error) {
	if err := c.tx.take(ctx); err != nil {
		return err
	}
	defer c.tx.give()
	if err := c.inTransaction(ctx, ckq.ProducerBegin); err != nil {
		return err
	}
	c.failed.since()
	tx := &Tx{core: c}
	committed := false
	defer func() {
		tx.over = true
		if committed {
			return
		}
		// Also on the way of a panic, and when the context has ended.
		aborting, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.apiTimeout)
		defer cancel()
		if failure := c.abort(aborting); failure != nil && err != nil {
			err = errors.Join(err, failure)
		}
		tx.rewind()
	}()
	if err := work(tx); err != nil {
		return err
	}
	if err := c.handOver(ctx); err != nil {
		return err
	}
	if failure := c.failed.since(); failure != nil {
		return fmt.Errorf("%w: a record of it was not sent: %w", ErrAbort, failure)
	}
	if err := c.inTransaction(ctx, ckq.ProducerCommit); err != nil {
		return err
	}
	committed = true
	c.takeDeliveries()
	return nil
}

// abort drops what has gathered, by way of C, so that whoever waits for a delivery hears of it.
func (c *producerCore) abort(ctx context.Context) error {
	handed := c.handOver(ctx)
	err := c.inTransaction(ctx, ckq.ProducerAbort)
	c.takeDeliveries()
	c.failed.take() // they failed because the transaction did
	return errors.Join(handed, err)
}

func (c *producerCore) inTransaction(ctx context.Context, call func(ckq.Producer, int32) ckq.Error) error {
	return inSlices(ctx, c.apiTimeout, func(timeoutMs int32) error {
		if err := c.enter(); err != nil {
			return err
		}
		defer c.leave()
		return taken(call(c.native, timeoutMs))
	})
}

// Send takes a record into the transaction.  A record that cannot be delivered makes the transaction abort.
func (tx *Tx) Send(ctx context.Context, record *Record) error { return tx.SendFunc(ctx, record, nil) }

// SendFunc is Send with a function that is called once with the outcome, as Producer.SendFunc has it.
func (tx *Tx) SendFunc(ctx context.Context, record *Record, delivered func(Delivery)) error {
	if err := tx.check(ctx); err != nil {
		return err
	}
	if record == nil {
		return wrongArgument("the record is nil")
	}
	return tx.core.put(ctx, record, delivered)
}

// Consumed commits, with the transaction, that the consumer's group is done with these batches.  Where the transaction aborts, they are
// polled again.
func (tx *Tx) Consumed(ctx context.Context, consumer *Consumer, batches ...*Batch) error {
	if consumer == nil {
		return wrongArgument("the consumer is nil")
	}
	var records []Record
	for _, batch := range batches {
		if batch == nil {
			return wrongArgument("a batch is nil")
		}
		records = append(records, batch.Records...)
	}
	tx.consumed = append(tx.consumed, consumed{consumer, firstOffsets(records)})
	return tx.SendOffsets(ctx, consumer, nextOffsets(records)...)
}

// SendOffsets commits offsets of the consumer's group with the transaction: of the next record to read of each partition.
func (tx *Tx) SendOffsets(ctx context.Context, consumer *Consumer, offsets ...TopicPartition) error {
	if err := tx.check(ctx); err != nil {
		return err
	}
	if consumer == nil {
		return wrongArgument("the consumer is nil")
	}
	list, err := forC(offsets)
	if err != nil || len(list) == 0 {
		return err
	}
	return inSlices(ctx, tx.core.apiTimeout, func(timeoutMs int32) error {
		var group ckq.GroupMetadata
		if err := consumer.call(func() ckq.Error { return ckq.ConsumerGroupMetadata(consumer.native, &group) }); err != nil {
			return err
		}
		defer ckq.GroupMetadataFree(group)
		if err := tx.core.enter(); err != nil {
			return err
		}
		defer tx.core.leave()
		return taken(ckq.ProducerSendOffsets(tx.core.native, list, group, timeoutMs))
	})
}

func (tx *Tx) check(ctx context.Context) error {
	if tx == nil || tx.over {
		return &Error{Code: ErrInvalidTxnState, Verdict: ErrRefused, Message: "this transaction is over: use it inside of Transact", Partition: -1}
	}
	return checkContext(ctx)
}

// rewind has what was consumed polled again, where it still belongs to the consumer.
func (tx *Tx) rewind() {
	for _, each := range tx.consumed {
		for _, at := range each.from {
			_ = each.consumer.Seek(at.Topic, at.Partition, at.Offset)
		}
	}
}
