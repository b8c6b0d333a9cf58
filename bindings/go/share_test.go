package kq_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	kq "github.com/kq-stream/kq/bindings/go"
)

// A share group that begins at the start of its topics.
func shareGroup(t *testing.T, at, name string) string {
	t.Helper()
	admin, err := kq.NewAdmin(within(t), at)
	must(t, err)
	defer admin.Close()
	must(t, admin.SetGroupConfig(within(t), name, map[string]string{"share.auto.offset.reset": "earliest"}))
	eventually(t, &sync.Mutex{}, func() bool { // a broker obeys a little after it has agreed
		config, err := admin.GroupConfig(within(t), name)
		must(t, err)
		return config["share.auto.offset.reset"] == "earliest"
	})
	return name
}

func newShareConsumer(t *testing.T, at string, options ...kq.Option) *kq.ShareConsumer {
	t.Helper()
	c, err := kq.NewShareConsumer(within(t), at, options...)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// What comes of the records of a topic until `enough`, value by value in the order of arrival, each with its delivery count.
func work(t *testing.T, c *kq.ShareConsumer, enough func(seen map[string][]int16) bool, each func(*kq.Record) error) map[string][]int16 {
	t.Helper()
	seen := map[string][]int16{}
	for record, err := range c.Records(within(t)) {
		must(t, err)
		seen[string(record.Value)] = append(seen[string(record.Value)], record.DeliveryCount)
		must(t, each(record))
		if enough(seen) {
			break
		}
	}
	return seen
}

func TestRecordsAreAcceptedReleasedAndRejectedByCalls(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 2)
	group := shareGroup(t, at, name)
	produce(t, at, name, numbered("", 6)...)
	for _, zeroCopy := range []bool{false, true} {
		options := []kq.Option{kq.WithGroup(group), kq.WithTopics(name), kq.WithExplicitAcknowledgement()}
		if zeroCopy {
			options = append(options, kq.WithZeroCopy())
			produce(t, at, name, numbered("", 6)...)
		}
		c := newShareConsumer(t, at, options...)
		var rejected *kq.Record
		seen := work(t, c, func(seen map[string][]int16) bool { return len(seen) == 6 && len(seen["2"]) == 2 }, func(r *kq.Record) error {
			switch {
			case string(r.Value) == "2" && r.DeliveryCount == 1:
				return c.Release(r)
			case string(r.Value) == "5":
				rejected = r.Clone()
				return c.Reject(r)
			}
			if err := c.Renew(r); err != nil {
				return err
			}
			return c.Accept(r)
		})
		must(t, c.Commit(within(t)))
		if !slices.Equal(seen["2"], []int16{1, 2}) || !slices.Equal(seen["5"], []int16{1}) {
			t.Fatalf("%v", seen)
		}
		if lock, known := c.Lock(); !known || lock < time.Second {
			t.Errorf("locked for %v", lock)
		}
		mustBe(t, c.Accept(rejected), kq.ErrInvalidRecordState, kq.ErrRefused)
		must(t, c.Close())
	}
	c := newShareConsumer(t, at, kq.WithGroup(group), kq.WithTopics(name))
	if batch := pollFor(t, c, 500*time.Millisecond); batch != nil {
		t.Fatalf("%d records came again", len(batch.Records))
	}
}

// A batch, or nil when none came in that time.
func pollFor(t *testing.T, c *kq.ShareConsumer, d time.Duration) *kq.Batch {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	batch, err := c.Poll(ctx)
	if err != nil {
		mustBe(t, err, context.DeadlineExceeded)
	}
	return batch
}

func TestWhatALoopHasComeBackFromIsAccepted(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	group := shareGroup(t, at, name)
	produce(t, at, name, numbered("", 6)...)
	options := []kq.Option{kq.WithGroup(group), kq.WithTopics(name)}
	c := newShareConsumer(t, at, options...)
	work(t, c, func(seen map[string][]int16) bool { return len(seen) == 3 }, func(r *kq.Record) error {
		if string(r.Value) == "1" {
			return c.Release(r) // said of it before the loop came back
		}
		return nil
	})
	must(t, c.Close()) // the third was being worked on, the others were not begun

	c = newShareConsumer(t, at, options...)
	seen := work(t, c, func(seen map[string][]int16) bool { return len(seen) == 4 }, func(*kq.Record) error { return nil })
	for _, again := range []string{"1", "2", "3", "4"} {
		if !slices.Equal(seen[again], []int16{2}) {
			t.Fatalf("%v", seen)
		}
	}
	must(t, c.Commit(within(t))) // 5 is not read
	must(t, c.Close())

	c = newShareConsumer(t, at, options...)
	batch, err := c.Poll(within(t))
	must(t, err)
	if len(batch.Records) != 1 || string(batch.Records[0].Value) != "5" || batch.Records[0].DeliveryCount != 3 {
		t.Fatalf("%+v", batch.Records)
	}
	must(t, c.Commit(within(t)))
	must(t, c.Close())
}

func TestAPanicInALoopAcceptsNothingOfWhatItHadNotRead(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	group := shareGroup(t, at, name)
	produce(t, at, name, numbered("", 4)...)
	c := newShareConsumer(t, at, kq.WithGroup(group), kq.WithTopics(name))
	func() {
		defer func() { recover() }()
		for _, err := range c.Records(within(t)) {
			must(t, err)
			panic("on purpose")
		}
	}()
	seen := work(t, c, func(seen map[string][]int16) bool { return len(seen) == 3 }, func(*kq.Record) error { return nil })
	for _, rest := range []string{"1", "2", "3"} {
		if !slices.Equal(seen[rest], []int16{1}) {
			t.Fatalf("%v", seen)
		}
	}
}

func TestMembersOfAShareGroupDivideRecords(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	group := shareGroup(t, at, name)
	const count = 200
	ctx, stop := context.WithCancel(within(t))
	var lock sync.Mutex
	seen := map[string]int{}
	var wait sync.WaitGroup
	for range 2 {
		c := newShareConsumer(t, at, kq.WithGroup(group), kq.WithTopics(name), kq.With("max.poll.records", "10"))
		wait.Add(1)
		go func() {
			defer wait.Done()
			for record, err := range c.Records(ctx) {
				if err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				lock.Lock()
				seen[string(record.Value)]++
				lock.Unlock()
			}
		}()
	}
	produce(t, at, name, numbered("", count)...)
	eventually(t, &lock, func() bool { return len(seen) == count })
	stop()
	wait.Wait()
	for value, times := range seen {
		if times != 1 {
			t.Errorf("%s came %d times", value, times)
		}
	}
}

func TestAShareConsumerRefusesWhatMakesNoSense(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	ctx := within(t)
	refused := map[string][]kq.Option{
		"no group":     {kq.WithTopics(name)},
		"a pattern":    {kq.WithGroup("g"), kq.WithPattern("a.*")},
		"partitions":   {kq.WithGroup("g"), kq.WithPartitions(kq.TopicPartition{Topic: name})},
		"a wrong mode": {kq.WithGroup("g"), kq.With("share.acknowledgement.mode", "perhaps")},
		"a wrong key":  {kq.WithGroup("g"), kq.With("share.acknowledgment.mode", "explicit")},
		"a nil option": {nil},
		"a zero byte":  {kq.WithGroup("g"), kq.WithTopics("a\x00b")},
	}
	for what, options := range refused {
		c, err := kq.NewShareConsumer(ctx, at, options...)
		if err == nil || c != nil {
			t.Errorf("%s was taken", what)
			continue
		}
		mustBe(t, err, kq.ErrRefused)
	}
	c := newShareConsumer(t, at, kq.WithGroup(name))
	if _, known := c.Lock(); known {
		t.Error("a lock's time before any record")
	}
	must(t, c.Subscribe(name))
	stranger := &kq.Record{Topic: name, Offset: 7}
	mustBe(t, c.Accept(stranger), kq.ErrInvalidRecordState)
	mustBe(t, c.Accept(nil), kq.ErrArgument)
	mustBe(t, c.Reject(&kq.Record{Topic: "a\x00b"}), kq.ErrArgument)
	mustBe(t, c.Release(&kq.Record{}), kq.ErrRefused)
	must(t, c.Accept()) // of nothing, all is accepted
	var none context.Context
	_, err := c.Poll(none)
	mustBe(t, err, kq.ErrArgument)
	mustBe(t, c.Commit(none), kq.ErrArgument)
	must(t, c.Close())
	must(t, c.Close())
	_, err = c.Poll(ctx)
	mustBe(t, err, kq.ErrClosed)
	mustBe(t, c.Accept(stranger), kq.ErrClosed)
	mustBe(t, c.Commit(ctx), kq.ErrClosed)
	mustBe(t, c.Subscribe(name), kq.ErrClosed)
	mustBe(t, c.Unsubscribe(), kq.ErrClosed)
	if _, known := c.Lock(); known {
		t.Error("a closed one knows its locks")
	}
}

func TestClosingAShareConsumerUnderWayIsSafe(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	group := shareGroup(t, at, name)
	produce(t, at, name, numbered("", 500)...)
	for range 3 {
		c := newShareConsumer(t, at, kq.WithGroup(group), kq.WithTopics(name), kq.WithExplicitAcknowledgement(), kq.WithZeroCopy(),
			kq.With("max.poll.records", "5"))
		var wait sync.WaitGroup
		begun := make(chan struct{}, 1000)
		for range 3 {
			wait.Add(1)
			go func() {
				defer wait.Done()
				for {
					batch, err := c.Poll(context.Background())
					if errors.Is(err, kq.ErrClosed) {
						return
					}
					if err == nil && len(batch.Records) > 0 {
						c.Accept(&kq.Record{Topic: name, Offset: 3})
					}
					c.Commit(context.Background())
					select {
					case begun <- struct{}{}:
					default:
					}
				}
			}()
		}
		<-begun
		must(t, c.Close())
		wait.Wait()
	}
}
