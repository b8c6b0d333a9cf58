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

// Records gives records as they come, for range, until the context is done or the consumer is closed; that is the last error.  Other
// errors are of a partition or of the group, and the loop may go on after them, unless errors.Is(err, ErrFatal).
//
// A loop that is left, and entered again, goes on with the next record.
func (c *Consumer) Records(ctx context.Context) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for {
			batch, err := c.Poll(ctx)
			if err != nil {
				if !yield(nil, err) || c.over(ctx, err) {
					return
				}
				continue
			}
			for i := range batch.Records {
				if !yield(&batch.Records[i], nil) {
					c.putBack(batch, i+1)
					return
				}
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
			if !yield(batch, err) || err != nil && c.over(ctx, err) {
				return
			}
			if batch != nil {
				c.recycle(batch)
			}
		}
	}
}

func (c *Consumer) over(ctx context.Context, err error) bool {
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
	return result(ctx, c, func(timeoutMs int32) (int, ckq.Error) {
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
	return result(ctx, c, func(timeoutMs int32) ([]TopicPartition, ckq.Error) {
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

// Commit commits what has been handed out: all of it, but for what a loop over Records has not come to.
func (c *Consumer) Commit(ctx context.Context) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	var offsets []TopicPartition
	if unread := c.unreadOffsets(); unread != nil {
		assigned, err := c.Assignment()
		if err != nil {
			return err
		}
		for _, each := range assigned {
			if at := find(unread, each.Topic, each.Partition); at >= 0 {
				offsets = append(offsets, unread[at])
			} else if each.Position >= 0 {
				offsets = append(offsets, TopicPartition{Topic: each.Topic, Partition: each.Partition, Offset: each.Position})
			}
		}
	}
	return c.commit(ctx, offsets)
}

func (c *Consumer) unreadOffsets() []TopicPartition {
	c.unreadLock.Lock()
	defer c.unreadLock.Unlock()
	if c.unread == nil {
		return nil
	}
	return firstOffsets(c.unread.Records)
}

// CommitOffsets commits offsets, of the next record to read of each partition.
func (c *Consumer) CommitOffsets(ctx context.Context, offsets ...TopicPartition) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	if len(offsets) == 0 {
		return nil
	}
	return c.commit(ctx, offsets)
}

// CommitRecords commits that these records are done with, and so all before them in their partitions.
func (c *Consumer) CommitRecords(ctx context.Context, records ...*Record) error {
	var offsets []TopicPartition
	for _, r := range records {
		if r == nil {
			return wrongArgument("a record is nil")
		}
		if at := find(offsets, r.Topic, r.Partition); at < 0 {
			offsets = append(offsets, TopicPartition{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset + 1, LeaderEpoch: epochToGo(r.LeaderEpoch)})
		} else if offsets[at].Offset <= r.Offset {
			offsets[at].Offset, offsets[at].LeaderEpoch = r.Offset+1, epochToGo(r.LeaderEpoch)
		}
	}
	return c.CommitOffsets(ctx, offsets...)
}

func (c *Consumer) commit(ctx context.Context, offsets []TopicPartition) error {
	list, err := forC(offsets)
	if err != nil {
		return err
	}
	_, err = result(ctx, c, func(timeoutMs int32) (struct{}, ckq.Error) {
		return struct{}{}, ckq.ConsumerCommit(c.native, list, timeoutMs)
	})
	return err
}

// Store has auto-commit commit these offsets next: for enable.auto.offset.store=false.
func (c *Consumer) Store(offsets ...TopicPartition) error {
	list, err := forC(offsets)
	if err != nil {
		return err
	}
	return c.call(func() ckq.Error { return ckq.ConsumerStore(c.native, list) })
}

// Committed tells what the group has committed of these partitions, or of all that is assigned; Offset -1: nothing.
func (c *Consumer) Committed(ctx context.Context, partitions ...TopicPartition) ([]TopicPartition, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	list, err := forC(partitions)
	if err != nil {
		return nil, err
	}
	type answer struct {
		found []TopicPartition
		err   error
	}
	got, err := result(ctx, c, func(timeoutMs int32) (answer, ckq.Error) {
		rows, failure := ckq.ConsumerCommitted(c.native, list, timeoutMs)
		if failure != nil {
			return answer{}, failure
		}
		defer ckq.RowsFree(rows)
		var a answer
		for i := range int(ckq.RowsCount(rows)) {
			row := row{rows, i}
			if failure := row.failure(); failure != nil && a.err == nil {
				a.err = failure
			}
			a.found = append(a.found, TopicPartition{Topic: row.text("topic"), Partition: int32(row.number("partition")),
				Offset: row.number("offset"), LeaderEpoch: epochToGo(int32(row.number("leader_epoch"))), Metadata: row.text("metadata")})
		}
		return a, nil
	})
	if err == nil {
		err = got.err
	}
	return got.found, err
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
	timeout := int32(-1)
	if deadline, ok := ctx.Deadline(); ok {
		timeout = int32(min(max(time.Until(deadline).Milliseconds(), 0), 1<<30))
	}
	runtime.SetFinalizer(c, nil)
	err := taken(ckq.ConsumerClose(c.native, timeout))
	c.leave()
	c.discard()
	return err
}

// discard frees everything, once.  Whoever polls is woken first.
func (c *Consumer) discard() {
	c.watch.close()
	c.polling <- struct{}{}
	defer c.polling.give()
	c.end(func() {
		ckq.BatchFree(c.done)
		c.polled.Free()
		ckq.ConsumerFree(c.native)
		c.log.close()
	})
}

func (c *Consumer) call(f func() ckq.Error) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	defer runtime.KeepAlive(c)
	return taken(f())
}

// result runs a call that waits.
func result[T any](ctx context.Context, c *Consumer, call func(timeoutMs int32) (T, ckq.Error)) (T, error) {
	type outcome struct{ value T }
	values := make(chan outcome, 1)
	err := inBackground(ctx, func(timeoutMs int32) error {
		if err := c.enter(); err != nil {
			return err
		}
		defer c.leave()
		value, failure := call(timeoutMs)
		values <- outcome{value}
		return taken(failure)
	})
	if err == nil {
		return (<-values).value, nil
	}
	var none T
	return none, err
}

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
