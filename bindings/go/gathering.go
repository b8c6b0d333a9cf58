package kq

import (
	"context"
	"errors"
	"time"
	"unsafe"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

func (c *producerCore) send(ctx context.Context, record *Record, delivered func(Delivery)) error {
	if record == nil {
		return wrongArgument("the record is nil")
	}
	if err := checkContext(ctx); err != nil {
		return err
	}
	if c.transactional {
		return &Error{Code: ErrInvalidTxnState, Verdict: ErrRefused, Partition: -1, Topic: record.Topic,
			Message: "a producer with a transactional.id sends in transactions alone: use Transact, and the Send of its Tx"}
	}
	return c.put(ctx, record, delivered)
}

// put gathers a record.  Where the arena is full, whoever comes hands it over first.
func (c *producerCore) put(ctx context.Context, record *Record, delivered func(Delivery)) error {
	partition := int32(-1)
	if c.manual {
		partition = record.Partition
	}
	need := arenaNeed(record)
	for {
		c.mutex.Lock()
		if c.refusing != nil {
			err := c.refusing
			c.mutex.Unlock()
			return err
		}
		if record.Topic != c.topic {
			c.recall(record.Topic)
		}
		name := c.topicName
		if name != nil && c.filling.fits(need) {
			c.filling.add(name, partition, c.tag(delivered), record)
			first := c.filling.count == 1
			c.mutex.Unlock()
			if first {
				c.rouseLater()
			}
			return nil
		}
		c.mutex.Unlock()
		var err error
		switch {
		case name == nil:
			err = c.meet(ctx, record.Topic)
		case need > arenaBytes:
			return c.sendLarge(ctx, name, partition, record, delivered)
		default:
			err = c.handOver(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// recall makes a topic the present one, under the mutex; its name is nil where it was not met yet.
func (c *producerCore) recall(topic string) {
	c.topicName = c.topics[topic]
	if c.topic = ""; c.topicName != nil {
		c.topic = topic
	}
}

func (c *producerCore) rouseLater() {
	select {
	case c.rouse <- struct{}{}:
	default:
	}
}

// tag finds a place for a function until the delivery.  Under the mutex.
func (c *producerCore) tag(delivered func(Delivery)) uint64 {
	if delivered == nil {
		return 0
	}
	c.tagged.Add(1)
	if last := len(c.freeTags) - 1; last >= 0 {
		tag := c.freeTags[last]
		c.freeTags = c.freeTags[:last]
		c.waiting[tag-1] = delivered
		return tag
	}
	c.waiting = append(c.waiting, delivered)
	return uint64(len(c.waiting))
}

// meet waits until a topic's partitions are known, so that a topic that is not there holds up nobody but who sends to it, and keeps
// its name for C.
func (c *producerCore) meet(ctx context.Context, topic string) error {
	if topic == "" {
		return wrongArgument("the record has no topic")
	}
	if _, err := c.partitionCount(ctx, topic); err != nil {
		return err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.topics[topic] == nil && c.refusing == nil {
		own := string([]byte(topic))
		c.topics[own] = ckq.CString(own)
	}
	return nil
}

// sendLarge hands over a record that no arena has room for, behind those that came before it.
func (c *producerCore) sendLarge(ctx context.Context, name unsafe.Pointer, partition int32, record *Record, delivered func(Delivery)) error {
	if err := c.handing.take(ctx); err != nil {
		return err
	}
	defer c.handing.give()
	if err := c.handOverAll(ctx); err != nil {
		return err
	}
	large := newArena(arenaNeed(record))
	defer large.free()
	c.mutex.Lock()
	tag := c.tag(delivered)
	c.mutex.Unlock()
	large.add(name, partition, tag, record)
	err := c.give(ctx, large, time.Now().Add(c.blockMax))
	if err != nil {
		c.takeTag(tag)
	}
	return err
}

// handOver gives what has gathered to C.  An error is the context's, or says that the producer is closed.
func (c *producerCore) handOver(ctx context.Context) error {
	if err := c.handing.take(ctx); err != nil {
		return err
	}
	defer c.handing.give()
	return c.handOverAll(ctx)
}

// With `handing`.  What is left when the context ends stays in front of what gathers meanwhile.
func (c *producerCore) handOverAll(ctx context.Context) error {
	if c.spare == nil {
		return closedError("producer")
	}
	if err := c.handOverSpare(ctx); err != nil {
		return err
	}
	c.mutex.Lock()
	c.filling, c.spare = c.spare, c.filling
	c.mutex.Unlock()
	return c.handOverSpare(ctx)
}

func (c *producerCore) handOverSpare(ctx context.Context) error {
	from := c.spare
	for end := time.Now().Add(c.blockMax); !from.empty(); {
		err := c.give(ctx, from, end)
		if err == nil {
			break
		}
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return err
		}
		c.refused(from, err)
	}
	from.clear()
	return nil
}

// refused is for the next record of an arena, which C does not take.
func (c *producerCore) refused(from *arena, err error) {
	record := &from.records[from.sent]
	from.sent++
	c.outcome(c.takeTag(record.Tag), Delivery{Topic: outTopic(record), Partition: record.Partition, Offset: -1, Err: err})
}

func outTopic(record *ckq.OutRecord) string { return ckq.StringAt(record.Topic) }

// give hands records over until one cannot be sent, and waits where there is no room, until then.
func (c *producerCore) give(ctx context.Context, from *arena, end time.Time) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	for {
		sent, failure := ckq.SendMany(c.native, unsafe.Pointer(&from.records[from.sent]), from.count-from.sent)
		from.sent += sent
		if failure == nil {
			return nil
		}
		retry := Verdict(ckq.ErrorVerdict(failure)) == ErrRetry
		err := taken(failure)
		if retry && ctx.Err() != nil {
			return ctx.Err()
		}
		if !retry || time.Now().After(end) {
			return err
		}
	}
}

// run hands over what has gathered for as long as a record may wait.
func (c *producerCore) run() {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	for {
		select {
		case <-c.rouse:
		case <-c.stop:
			return
		}
		if c.gather > 0 {
			timer.Reset(c.gather)
			select {
			case <-timer.C:
			case <-c.stop:
				return
			}
		}
		c.handOver(context.Background())
	}
}
