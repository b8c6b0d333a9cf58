package kq

import (
	"context"
	"errors"
	"iter"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

const acknowledgementMode = "share.acknowledgement.mode"

// ShareConsumer is a member of a share group (KIP-932), whose members take records from topics as from a queue: each record goes to one
// of them, under a lock, however many partitions there are.  It is accepted (done with), released (it comes again, to any member), or
// rejected (it does not); one whose lock has run out comes again too.
//
// Of what Records and Poll have given, all is accepted that nothing else was said of, once the loop, or Poll, has come back for more.
// With WithExplicitAcknowledgement nothing is accepted but by Accept.
//
// Goroutines may share it.  Those that poll take turns, and mean to acknowledge explicitly: without that, one of them coming back
// accepts what others have.
type ShareConsumer struct {
	handle
	native   ckq.ShareConsumer
	explicit bool
	zeroCopy bool
	log      *logPipe

	polling turn // one polls, and has what follows
	watch   *watch
	polled  ckq.Polled
	reader  reader

	lock   sync.Mutex
	held   ckq.Batch // what the last poll gave, until the next one
	count  int       // its records
	unread *Batch    // what a loop has left of it

	namesLock sync.Mutex
	names     map[string][]byte // of topics, as C reads them
}

// NewShareConsumer makes a member of the share group that WithGroup names, and has it read WithTopics.  Where a new group begins is the
// group's own setting: see Admin.SetGroupConfig, share.auto.offset.reset.
func NewShareConsumer(ctx context.Context, servers string, options ...Option) (*ShareConsumer, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	s, err := gather(servers, options)
	if err != nil {
		return nil, err
	}
	if s.pattern != "" || len(s.partitions) > 0 {
		return nil, wrongArgument("a share group reads topics as a whole: give WithTopics, not WithPattern or WithPartitions")
	}
	log, err := s.openLog()
	if err != nil {
		return nil, err
	}
	c := &ShareConsumer{handle: handle{what: "share consumer"}, zeroCopy: s.zeroCopy, log: log, polling: newTurn(),
		reader: reader{topics: map[string]string{}}, names: map[string][]byte{}}
	if err := c.open(s); err != nil {
		log.close()
		return nil, err
	}
	if len(s.topics) > 0 {
		if err := c.Subscribe(s.topics...); err != nil {
			c.discard()
			return nil, err
		}
	}
	runtime.SetFinalizer(c, func(c *ShareConsumer) { go c.discard() })
	return c, nil
}

// C acknowledges by calls alone: what is accepted without one is known here, to the record.
func (c *ShareConsumer) open(s *settings) error {
	config, err := s.config()
	if err != nil {
		return err
	}
	defer ckq.ConfigFree(config)
	switch ckq.ConfigGet(config, acknowledgementMode) {
	case "explicit":
		c.explicit = true
	case "", "implicit":
		if err := taken(ckq.ConfigSet(config, acknowledgementMode, "explicit")); err != nil {
			return err
		}
	}
	var native ckq.ShareConsumer // C may be pointed at this, but not at a struct of Go's
	if err := taken(ckq.ShareConsumerNew(config, &native)); err != nil {
		return err
	}
	if c.watch, err = newWatch(ckq.ShareConsumerFd(native)); err != nil {
		ckq.ShareConsumerFree(native)
		return err
	}
	c.native, c.polled = native, ckq.NewPolled()
	return nil
}

// Subscribe joins the group with these topics; a new list replaces the one before.
func (c *ShareConsumer) Subscribe(topics ...string) error {
	if err := checkText("topic", topics...); err != nil {
		return err
	}
	return c.call(func() ckq.Error { return ckq.ShareConsumerSubscribe(c.native, topics) })
}

// Unsubscribe leaves the group.  Records that are held can still be acknowledged.
func (c *ShareConsumer) Unsubscribe() error {
	return c.call(func() ckq.Error { return ckq.ShareConsumerUnsubscribe(c.native) })
}

// Records gives records as they come, for range, until the context is done or the consumer is closed; that is the last error.  Other
// errors are of a partition, of the group, or an *AcknowledgeError, and the loop may go on after them, unless errors.Is(err, ErrFatal).
//
// A loop that is left, and entered again, goes on with the next record.
func (c *ShareConsumer) Records(ctx context.Context) iter.Seq2[*Record, error] {
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
		}
	}
}

func (c *ShareConsumer) putBack(batch *Batch, read int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	batch.Records = batch.Records[read:]
	c.unread = batch
}

// Poll waits for records, up to max.poll.records of them, those of a partition in order.
func (c *ShareConsumer) Poll(ctx context.Context) (*Batch, error) {
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
		return unread, nil
	}
	for {
		var failure error
		err := c.watch.until(ctx, func() bool {
			if failure = c.enter(); failure != nil {
				return true
			}
			defer c.leave()
			done, accept := c.letGo()
			return c.polled.SharePoll(c.native, done, accept)
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
		batch, err := c.take()
		if batch != nil || err != nil {
			return batch, err
		}
	}
}

func (c *ShareConsumer) takeUnread() *Batch {
	c.lock.Lock()
	defer c.lock.Unlock()
	unread := c.unread
	c.unread = nil
	if unread == nil || len(unread.Records) == 0 {
		return nil
	}
	return unread
}

// letGo gives the batch that is done with, and how many of its records are accepted with that.
func (c *ShareConsumer) letGo() (done ckq.Batch, accept int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if done = c.held; !c.explicit {
		accept = c.count
	}
	c.held, c.count = nil, 0
	return done, accept
}

// take makes a batch of what was polled; nil for what tells nothing.
func (c *ShareConsumer) take() (*Batch, error) {
	native := c.polled.TakeBatch()
	if c.polled.Kind() != ckq.Records {
		defer ckq.BatchFree(native)
		return nil, c.notAcknowledged()
	}
	batch := &Batch{}
	if c.zeroCopy {
		batch.Records = c.reader.borrowed(c.polled)
		c.reader.reused = batch.Records // the next poll ends this batch
	} else {
		batch.Records = c.reader.copied(c.polled)
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.held, c.count = native, len(batch.Records)
	return batch, nil
}

// Lock gives how long a record stays locked for its member; false before the first records.
func (c *ShareConsumer) Lock() (time.Duration, bool) {
	if c.enter() != nil {
		return 0, false
	}
	defer c.leave()
	ms := ckq.ShareConsumerLockTimeoutMs(c.native)
	return time.Duration(ms) * time.Millisecond, ms >= 0
}

// Close accepts what a loop has come back from, releases the rest of what is held, and leaves the group: Commit first, if what Poll gave
// last is done with.  Closing twice does nothing.  A Poll or loop that waits ends with ErrClosed.
func (c *ShareConsumer) Close() error { return c.CloseContext(context.Background()) }

// CloseContext is Close that does not wait for the group longer than the context goes.
func (c *ShareConsumer) CloseContext(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	if c.enter() != nil {
		return nil
	}
	runtime.SetFinalizer(c, nil)
	c.acceptRead(1)
	err := taken(ckq.ShareConsumerClose(c.native, timeLeft(ctx)))
	c.leave()
	c.discard()
	return err
}

// discard frees everything, once.  Whoever polls is woken first.
func (c *ShareConsumer) discard() {
	c.watch.close()
	c.polling <- struct{}{}
	defer c.polling.give()
	c.end(func() {
		ckq.BatchFree(c.held)
		c.polled.Free()
		ckq.ShareConsumerFree(c.native)
		c.log.close()
	})
}

// acceptRead accepts what was read of the last batch, without saying so explicitly, but for the last `open` records of a loop that was left.
func (c *ShareConsumer) acceptRead(open int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.explicit || c.held == nil {
		return
	}
	read := c.count
	if c.unread != nil {
		read -= len(c.unread.Records) + open
	} else if open > 0 {
		return // Poll gave it, and has not come back
	}
	ckq.ShareAccept(c.native, c.held, read)
}

// acknowledge groups records by their partitions, and says of all of them what can be said.
func (c *ShareConsumer) acknowledge(how int, records []*Record) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	defer runtime.KeepAlive(c)
	if slices.Contains(records, nil) {
		return wrongArgument("a record is nil")
	}
	var first error
	var room [16]int64
	offsets := room[:0]
	for i, r := range records {
		offsets = append(offsets, r.Offset)
		if next := i + 1; next < len(records) && records[next].Partition == r.Partition && records[next].Topic == r.Topic {
			continue
		}
		name, err := c.name(r.Topic)
		if err == nil {
			err = taken(ckq.ShareAcknowledge(c.native, name, r.Partition, offsets, how))
		}
		if first == nil {
			first = err
		}
		offsets = offsets[:0]
	}
	return first
}

func (c *ShareConsumer) name(topic string) ([]byte, error) {
	c.namesLock.Lock()
	defer c.namesLock.Unlock()
	if known, ok := c.names[topic]; ok {
		return known, nil
	}
	if err := checkText("topic", topic); err != nil {
		return nil, err
	}
	name := append([]byte(topic), 0)
	c.names[string(name[:len(topic)])] = name
	return name, nil
}
