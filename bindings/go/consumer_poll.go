package kq

import (
	"context"
	"errors"
	"iter"
	"os"
	"runtime"
	"slices"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// Records gives records as they come, for range, until the context is done or the consumer is closed; that is the last error.  Other
// errors are of a partition or of the group, and the loop may go on after them, unless errors.Is(err, ErrFatal).
//
// A loop that is left, and entered again, goes on with the next record.
func (c *Consumer) Records(ctx context.Context) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for {
			batch, err := c.Poll(ctx)
			if err != nil {
				if !yield(nil, err) || over(ctx, err) {
					return
				}
				continue
			}
			if !batch.hand(yield, c.putBack) {
				return
			}
			c.recycle(batch)
		}
	}
}

// Batches gives what polls give, for range.  It ends as Records does.
func (c *Consumer) Batches(ctx context.Context) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		for {
			batch, err := c.Poll(ctx)
			if !yield(batch, err) || err != nil && over(ctx, err) {
				return
			}
			if batch != nil {
				c.recycle(batch)
			}
		}
	}
}

func over(ctx context.Context, err error) bool {
	return ctx == nil || ctx.Err() != nil || errors.Is(err, ErrFatal) || errors.Is(err, ErrClosed)
}

// putBack keeps what a loop has not read of a batch.
func (c *Consumer) putBack(batch *Batch, read int) {
	if read < len(batch.Records) || batch.native != nil { // with zero copy, so that the last record is good until the next poll
		c.unreadLock.Lock()
		defer c.unreadLock.Unlock()
		batch.Records = batch.Records[read:]
		c.unread = batch
	}
}

func (c *Consumer) takeUnread() *Batch {
	c.unreadLock.Lock()
	defer c.unreadLock.Unlock()
	batch := c.unread
	c.unread = nil
	return batch
}

// forget drops what was left unread of a partition, or of all (topic ""), and tells where that began.
func (c *Consumer) forget(topic string, partition int32) (from int64, dropped bool) {
	c.unreadLock.Lock()
	defer c.unreadLock.Unlock()
	if c.unread == nil {
		return 0, false
	}
	c.unread.Records = slices.DeleteFunc(c.unread.Records, func(r Record) bool {
		if topic != "" && (r.Topic != topic || r.Partition != partition) {
			return false
		}
		if !dropped {
			from, dropped = r.Offset, true
		}
		return true
	})
	return from, dropped
}

// recycle is for a batch that a loop is done with.
func (c *Consumer) recycle(batch *Batch) {
	if batch.native == nil {
		return
	}
	records := batch.Records
	batch.Release()
	c.polling <- struct{}{}
	defer c.polling.give()
	c.reader.reused = records
}

// Poll waits for records: up to max.poll.records of any of the partitions.  Handlers of rebalances are called from here.
func (c *Consumer) Poll(ctx context.Context) (*Batch, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(c)
	if err := c.enter(); err != nil {
		return nil, err
	}
	c.leave()
	if err := c.polling.take(ctx); err != nil {
		return nil, err
	}
	defer c.polling.give()
	if unread := c.takeUnread(); unread != nil {
		if len(unread.Records) > 0 {
			return unread, nil
		}
		unread.Release()
	}
	for {
		var failure error
		err := c.watch.until(ctx, func() bool {
			if failure = c.enter(); failure != nil {
				return true
			}
			defer c.leave()
			some := c.polled.Poll(c.native, c.done)
			c.done = nil
			return some
		})
		switch {
		case errors.Is(err, os.ErrClosed):
			return nil, closedError(c.what)
		case err != nil:
			return nil, err
		case failure != nil:
			return nil, failure
		}
		if err := taken(c.polled.TakeError()); err != nil {
			return nil, err
		}
		batch, err := c.take(ctx)
		if batch != nil || err != nil {
			return batch, err
		}
	}
}

// take makes a batch of what was polled; nil for what is no records.
func (c *Consumer) take(ctx context.Context) (*Batch, error) {
	native := c.polled.TakeBatch()
	if c.polled.Kind() != ckq.Records {
		defer ckq.BatchFree(native)
		return nil, c.rebalanced(ctx)
	}
	if c.zeroCopy {
		batch := &Batch{Records: c.reader.borrowed(c.polled), native: native}
		runtime.SetFinalizer(batch, (*Batch).Release)
		return batch, nil
	}
	batch := &Batch{Records: c.reader.copied(c.polled)}
	c.done = native
	return batch, nil
}
