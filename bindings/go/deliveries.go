package kq

import (
	"context"
	"sync"
	"time"
	"unsafe"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// deliver takes deliveries until the producer is closed.
func (c *producerCore) deliver() {
	for {
		err := c.watch.until(context.Background(), c.takeDeliveries)
		if err != nil {
			return
		}
	}
}

// takeDeliveries polls until there is nothing.  True ends the goroutine's wait: the producer is closed, or of no use.
func (c *producerCore) takeDeliveries() bool {
	c.delivering.Lock()
	defer c.delivering.Unlock()
	for {
		if c.enter() != nil {
			return true
		}
		some := c.polled.PollDeliveries(c.native, c.tagged.Load() > 0)
		c.leave()
		if !some {
			return false
		}
		if failure := taken(c.polled.TakeError()); failure != nil {
			c.refuse(failure)
			return false
		}
		c.tell(c.polled.Rows())
		c.polled.Clear()
	}
}

// tell tells whoever wants to know what became of the records.
func (c *producerCore) tell(rows []ckq.Row) {
	c.mutex.Lock()
	for i := range rows {
		c.told = append(c.told, c.takeTagLocked(rows[i].Tag))
	}
	c.mutex.Unlock()
	var name unsafe.Pointer
	var topic string
	for i := range rows {
		row := &rows[i]
		if row.Topic != name {
			name, topic = row.Topic, ckq.String(row.Topic)
		}
		d := Delivery{Topic: topic, Partition: row.Partition, Offset: row.Offset, Timestamp: time.UnixMilli(row.TimestampMs)}
		if row.Error != nil {
			d.Err = borrowed(row.Error)
		}
		c.outcome(c.told[i], d)
	}
	clear(c.told)
	c.told = c.told[:0]
}

func (c *producerCore) outcome(delivered func(Delivery), d Delivery) {
	if d.Err != nil {
		c.failed.add(d.Err, delivered == nil)
	}
	if delivered != nil {
		delivered(d)
	}
}

func (c *producerCore) takeTag(tag uint64) func(Delivery) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.takeTagLocked(tag)
}

func (c *producerCore) takeTagLocked(tag uint64) func(Delivery) {
	if tag == 0 {
		return nil
	}
	c.tagged.Add(-1)
	delivered := c.waiting[tag-1]
	c.waiting[tag-1] = nil
	c.freeTags = append(c.freeTags, tag)
	return delivered
}

// failures are those of records that nobody waits for.
type failures struct {
	lock  sync.Mutex
	count int
	first error
	inTx  error // the first since the transaction began, waited for or not
}

func (f *failures) add(err error, unheard bool) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.inTx == nil {
		f.inTx = err
	}
	if !unheard {
		return
	}
	if f.count++; f.count == 1 {
		f.first = err
	}
}

// since gives the first failure since the last call.
func (f *failures) since() error {
	f.lock.Lock()
	defer f.lock.Unlock()
	err := f.inTx
	f.inTx = nil
	return err
}

func (f *failures) take() error {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.count == 0 {
		return nil
	}
	err := &FlushError{f.count, f.first}
	f.count, f.first = 0, nil
	return err
}
