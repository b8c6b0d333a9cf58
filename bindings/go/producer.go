package kq

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
)

// Producer sends records.  The defaults are safe: idempotent, acks=all, retried until delivery.timeout.ms, same key to same partition
// as Java's.  All goroutines of a program should share one.
type Producer struct{ core *producerCore }

// NewProducer makes a producer.  servers is a comma-separated list of HOST:PORT.  It connects in the background: an unreachable cluster
// shows in the first Send.
func NewProducer(ctx context.Context, servers string, options ...Option) (*Producer, error) {
	core, err := newProducerCore(ctx, servers, options)
	if err != nil {
		return nil, err
	}
	p := &Producer{core}
	runtime.SetFinalizer(p, func(p *Producer) { go p.core.discard() })
	return p, nil
}

// Send takes a record and returns; the record is copied.  It waits where a topic is not known yet, or where buffer.memory is full, up to
// max.block.ms or as long as the context goes.  An error says that the record was not taken; a record that was taken and could not be
// delivered shows in the next Flush, or in Close.
func (p *Producer) Send(ctx context.Context, record *Record) error {
	defer runtime.KeepAlive(p)
	if p.core == nil {
		return errNotMade
	}
	return p.core.send(ctx, record, nil)
}

// SendFunc is Send with a function that is called once with the outcome, where Send gave no error.  It is called on a goroutine that all
// deliveries of the producer share, in the order of delivery: it must not wait, and must not call Flush, SendSync or Close.
func (p *Producer) SendFunc(ctx context.Context, record *Record, delivered func(Delivery)) error {
	defer runtime.KeepAlive(p)
	if p.core == nil {
		return errNotMade
	}
	return p.core.send(ctx, record, delivered)
}

// SendSync sends records and waits until each has been acknowledged or has failed.  The error is that of the first that failed; a
// context that ends does not call back what was taken.
func (p *Producer) SendSync(ctx context.Context, records ...*Record) ([]Delivery, error) {
	if p.core == nil {
		return nil, errNotMade
	}
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	deliveries := make([]Delivery, len(records))
	done := make(chan struct{})
	left := atomic.Int64{}
	left.Store(int64(len(records)) + 1)
	tell := func() {
		if left.Add(-1) == 0 {
			close(done)
		}
	}
	for i, record := range records {
		if err := p.core.send(ctx, record, func(d Delivery) { deliveries[i] = d; tell() }); err != nil {
			return nil, err
		}
	}
	tell()
	if err := p.core.handOver(ctx); err != nil {
		return nil, err
	}
	select {
	case <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for i := range deliveries {
		if deliveries[i].Err != nil {
			return deliveries, deliveries[i].Err
		}
	}
	return deliveries, nil
}

// Flush sends at once what waits for company and waits until all that was sent before has been acknowledged or has failed.  The error
// is a *FlushError where records sent by Send have failed since the last Flush.
func (p *Producer) Flush(ctx context.Context) error {
	if p.core == nil {
		return errNotMade
	}
	return p.core.flush(ctx)
}

// FlushError tells of records that were taken by Send and could not be delivered.
type FlushError struct {
	Failed int   // how many
	First  error // why the first did
}

func (e *FlushError) Error() string {
	return fmt.Sprintf("kq: %d records were not delivered; the first: %v", e.Failed, e.First)
}

func (e *FlushError) Unwrap() error { return e.First }

// Pending is how many records are neither acknowledged nor failed yet.
func (p *Producer) Pending() int {
	if p.core == nil {
		return 0
	}
	return p.core.pending()
}

// Purge gives up what has not been sent yet: those records fail with ErrClosed.  What is on its way to a broker goes on.
func (p *Producer) Purge() error {
	if p.core == nil {
		return errNotMade
	}
	return p.core.purge()
}

// Partitions tells how many partitions a topic has.
func (p *Producer) Partitions(ctx context.Context, topic string) (int, error) {
	if err := checkContext(ctx); err != nil {
		return 0, err
	}
	if p.core == nil {
		return 0, errNotMade
	}
	return p.core.partitionCount(ctx, topic)
}

// Close flushes and closes.  Records that cannot be delivered fail after delivery.timeout.ms at the latest.  Closing twice does nothing.
func (p *Producer) Close() error { return p.CloseContext(context.Background()) }

// CloseContext is Close that gives up, with what is not delivered yet, when the context ends.
func (p *Producer) CloseContext(ctx context.Context) error {
	if p.core == nil {
		return nil
	}
	runtime.SetFinalizer(p, nil)
	return p.core.close(ctx)
}
