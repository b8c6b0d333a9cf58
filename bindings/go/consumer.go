package kq

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// Consumer reads records, of partitions that are assigned by hand or that come from a group.  It fetches ahead.  Goroutines may share
// it; those that poll take turns.
//
// With WithGroup and without WithManualCommit, what was handed out is committed by itself once the loop, or Poll, has come back for
// more: a record whose handling was cut short is read again.
type Consumer struct {
	handle
	native      ckq.Consumer
	onRebalance func(context.Context, *Consumer, Rebalance) error
	zeroCopy    bool
	apiTimeout  time.Duration
	log         *logPipe

	polling turn // one polls, and has what follows
	watch   *watch
	polled  ckq.Polled
	done    ckq.Batch // to be freed by the next poll
	reader  reader

	unreadLock sync.Mutex
	unread     *Batch // what a loop over records left unread
}

// NewConsumer makes a consumer.  servers is a comma-separated list of HOST:PORT.  What it reads is said by WithTopics, WithPattern or
// WithPartitions, or later by Subscribe or Assign.
func NewConsumer(ctx context.Context, servers string, options ...Option) (*Consumer, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	s, err := gather(servers, options)
	if err != nil {
		return nil, err
	}
	log, err := s.openLog()
	if err != nil {
		return nil, err
	}
	config, err := s.config()
	if err != nil {
		log.close()
		return nil, err
	}
	defer ckq.ConfigFree(config)
	c := &Consumer{
		handle: handle{what: "consumer"}, onRebalance: s.onRebalance, zeroCopy: s.zeroCopy, log: log, polling: newTurn(),
		apiTimeout: configTime(config, "default.api.timeout.ms", time.Minute), reader: reader{topics: map[string]string{}},
	}
	var native ckq.Consumer // C may be pointed at this, but not at a struct of Go's
	if err := taken(ckq.ConsumerNew(config, &native)); err != nil {
		log.close()
		return nil, err
	}
	c.native = native
	if c.watch, err = newWatch(ckq.ConsumerFd(c.native)); err != nil {
		ckq.ConsumerFree(c.native)
		log.close()
		return nil, err
	}
	c.polled = ckq.NewPolled()
	if !c.zeroCopy {
		addWeight()
	}
	if err := c.begin(ctx, s, ckq.ConfigGet(config, "group.id") != ""); err != nil {
		c.discard()
		return nil, err
	}
	runtime.SetFinalizer(c, func(c *Consumer) { go c.discard() })
	return c, nil
}

// begin reads what the options say.
func (c *Consumer) begin(ctx context.Context, s *settings, inGroup bool) error {
	asked := 0
	for _, each := range []bool{len(s.topics) > 0, s.pattern != "", len(s.partitions) > 0} {
		if each {
			asked++
		}
	}
	switch {
	case asked == 0:
		return nil
	case asked > 1:
		return wrongArgument("a consumer reads topics, a pattern or partitions: give one of WithTopics, WithPattern and WithPartitions")
	case s.pattern != "":
		return c.SubscribePattern(s.pattern)
	case len(s.partitions) > 0:
		return c.Assign(s.partitions...)
	case inGroup:
		return c.Subscribe(s.topics...)
	}
	var all []TopicPartition
	for _, topic := range s.topics {
		count, err := c.Partitions(ctx, topic)
		if err != nil {
			return err
		}
		for partition := range count {
			all = append(all, TopicPartition{Topic: topic, Partition: int32(partition), Offset: OffsetDefault})
		}
	}
	return c.Assign(all...)
}

// Subscribe joins the group with these topics; a new list replaces the one before.
func (c *Consumer) Subscribe(topics ...string) error {
	if err := checkText("topic", topics...); err != nil {
		return err
	}
	c.forget("", 0)
	return c.call(func() ckq.Error { return ckq.ConsumerSubscribe(c.native, topics) })
}

// SubscribePattern joins the group with all topics whose whole name matches a regular expression.
func (c *Consumer) SubscribePattern(pattern string) error {
	if err := checkText("pattern", pattern); err != nil {
		return err
	}
	c.forget("", 0)
	return c.call(func() ckq.Error { return ckq.ConsumerSubscribePattern(c.native, pattern) })
}

// Unsubscribe leaves the group.
func (c *Consumer) Unsubscribe() error {
	c.forget("", 0)
	return c.call(func() ckq.Error { return ckq.ConsumerUnsubscribe(c.native) })
}

// Assign reads exactly these partitions from now on, each from its Offset.
func (c *Consumer) Assign(partitions ...TopicPartition) error {
	list, err := forC(partitions)
	if err != nil {
		return err
	}
	c.forget("", 0)
	return c.call(func() ckq.Error { return ckq.ConsumerAssign(c.native, list) })
}

// Close commits what auto-commit would, leaves the group and closes.  Closing twice does nothing.  A Poll or loop that waits ends with
// ErrClosed.
func (c *Consumer) Close() error { return c.CloseContext(context.Background()) }

// CloseContext is Close that does not wait for the group longer than the context goes.
func (c *Consumer) CloseContext(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	if c.enter() != nil {
		return nil
	}
	runtime.SetFinalizer(c, nil)
	err := taken(ckq.ConsumerClose(c.native, timeLeft(ctx)))
	c.leave()
	c.discard()
	return err
}

// discard frees everything, once.  Whoever polls is woken; what a poll uses is freed when it is done, which may be after a handler of
// rebalances that has called this.
func (c *Consumer) discard() {
	c.watch.close()
	c.end(func() {
		ckq.ConsumerFree(c.native)
		c.log.close()
		if !c.zeroCopy {
			dropWeight()
		}
		go func() {
			c.polling <- struct{}{}
			defer c.polling.give()
			ckq.BatchFree(c.done)
			c.polled.Free()
		}()
	})
}
