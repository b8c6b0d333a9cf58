package kq_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	kq "github.com/kq-stream/kq/bindings/go"
)

func TestARecordComesBackWithAllThatItWasSentWith(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	p := newProducer(t, at)
	when := time.UnixMilli(1_700_000_000_123)
	sent := &kq.Record{Topic: name, Key: []byte("key"), Value: []byte("value"), Timestamp: when,
		Headers: []kq.Header{{Key: "a", Value: []byte("1")}, {Key: "", Value: nil}, {Key: "a", Value: []byte{}}}}
	deliveries, err := p.SendSync(within(t), sent, &kq.Record{Topic: name, Key: []byte{}}, &kq.Record{Topic: name, Value: []byte{}})
	must(t, err)
	for i, d := range deliveries {
		if d.Topic != name || d.Partition != 0 || d.Offset != int64(i) || d.Err != nil {
			t.Fatalf("delivery %d: %+v", i, d)
		}
	}
	for _, options := range [][]kq.Option{nil, {kq.WithZeroCopy()}} {
		c := newConsumer(t, at, append(options, kq.WithTopics(name))...)
		var got []*kq.Record
		for record, err := range c.Records(within(t)) {
			must(t, err)
			if got = append(got, record.Clone()); len(got) == 3 {
				break
			}
		}
		first := got[0]
		if string(first.Key) != "key" || string(first.Value) != "value" || !first.Timestamp.Equal(when) || first.Offset != 0 || first.LogAppendTime {
			t.Fatalf("%+v", first)
		}
		if len(first.Headers) != 3 || first.Headers[1].Key != "" || first.Headers[1].Value != nil || first.Headers[2].Value == nil {
			t.Fatalf("headers %+v", first.Headers)
		}
		if last, ok := first.Header("a"); !ok || len(last) != 0 {
			t.Fatalf("header a: %v %v", last, ok)
		}
		if got[1].Key == nil || len(got[1].Key) != 0 || got[1].Value != nil || got[2].Key != nil || got[2].Value == nil {
			t.Fatalf("nil and empty are told apart: %+v %+v", got[1], got[2])
		}
		must(t, c.Close())
	}
}

func TestManyGoroutinesShareAProducerAndEachKeepsItsOrder(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 3)
	p := newProducer(t, at, kq.WithManualPartitions())
	const goroutines, each = 8, 3000
	var wait sync.WaitGroup
	var lock sync.Mutex
	delivered := 0
	for g := range goroutines {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range each {
				record := &kq.Record{Topic: name, Partition: int32(g % 3), Key: fmt.Append(nil, g), Value: fmt.Append(nil, i)}
				var err error
				if i%2 == 0 {
					err = p.Send(context.Background(), record)
				} else {
					err = p.SendFunc(context.Background(), record, func(d kq.Delivery) {
						lock.Lock()
						defer lock.Unlock()
						if d.Err == nil && d.Partition == int32(g%3) {
							delivered++
						}
					})
				}
				if err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wait.Wait()
	must(t, p.Flush(within(t)))
	if lock.Lock(); delivered != goroutines*each/2 {
		t.Fatalf("%d functions were called", delivered)
	}
	lock.Unlock()
	if p.Pending() != 0 {
		t.Fatalf("%d pending", p.Pending())
	}
	next := map[string]int{}
	c := newConsumer(t, at, kq.WithTopics(name))
	seen := 0
	for record, err := range c.Records(within(t)) {
		must(t, err)
		if want := fmt.Sprint(next[string(record.Key)]); string(record.Value) != want {
			t.Fatalf("goroutine %s: %s instead of %s", record.Key, record.Value, want)
		}
		next[string(record.Key)]++
		if seen++; seen == goroutines*each {
			break
		}
	}
}

func TestARecordLargerThanTheArenaStaysInOrder(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	p := newProducer(t, at)
	large := make([]byte, 600_000)
	large[0], large[len(large)-1] = 'x', 'y'
	must(t, p.Send(within(t), &kq.Record{Topic: name, Value: []byte("before")}))
	deliveries, err := p.SendSync(within(t), &kq.Record{Topic: name, Value: large})
	must(t, err)
	if deliveries[0].Offset != 1 {
		t.Fatalf("offset %d", deliveries[0].Offset)
	}
	must(t, p.Send(within(t), &kq.Record{Topic: name, Value: []byte("after")}))
	must(t, p.Flush(within(t)))
	got := read(t, newConsumer(t, at, kq.WithTopics(name)), 3)
	if got[0] != "before" || got[1] != string(large) || got[2] != "after" {
		t.Fatal("not what was sent")
	}
	_, err = p.SendSync(within(t), &kq.Record{Topic: name, Value: make([]byte, 3<<20)})
	mustBe(t, err, kq.ErrRefused)
}

func TestABatchTellsWhereToGoOn(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	produce(t, at, name, numbered("", 10)...)
	c := newConsumer(t, at, kq.WithTopics(name), kq.With("max.poll.records", "4"))
	sizes := []int{}
	for batch, err := range c.Batches(within(t)) {
		must(t, err)
		sizes = append(sizes, len(batch.Records))
		last := batch.Records[len(batch.Records)-1].Offset
		if next := batch.Next(); len(next) != 1 || next[0].Offset != last+1 || next[0].Topic != name {
			t.Fatalf("%+v", next)
		}
		if last == 9 {
			break
		}
	}
	equal(t, sizes, []int{4, 4, 2})
}

func TestALoopThatIsLeftGoesOnWithTheNextRecord(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	produce(t, at, name, numbered("", 30)...)
	for _, options := range [][]kq.Option{nil, {kq.WithZeroCopy()}} {
		c := newConsumer(t, at, append(options, kq.WithTopics(name), kq.With("max.poll.records", "8"))...)
		var all []string
		for len(all) < 30 {
			all = append(all, read(t, c, min(7, 30-len(all)))...)
		}
		equal(t, all, numbered("", 30))
		must(t, c.Close())
	}
}

func TestSeekPausePositionAndTimes(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	p := newProducer(t, at)
	for i := range 5 {
		must(t, p.Send(within(t), &kq.Record{Topic: name, Value: fmt.Append(nil, i), Timestamp: time.UnixMilli(int64(1000 * (i + 1)))}))
	}
	must(t, p.Flush(within(t)))
	c := newConsumer(t, at, kq.WithPartitions(kq.TopicPartition{Topic: name, Offset: 3}), kq.With("fetch.max.wait.ms", "10"))
	equal(t, read(t, c, 2), []string{"3", "4"})
	must(t, c.Seek(name, 0, 1))
	equal(t, read(t, c, 1), []string{"1"})
	found, err := c.OffsetsAt(within(t), time.UnixMilli(2500), kq.TopicPartition{Topic: name})
	must(t, err)
	if len(found) != 1 || found[0].Offset != 2 {
		t.Fatalf("%+v", found)
	}
	must(t, c.Assign(kq.TopicPartition{Topic: name, Offset: kq.OffsetEarliest}))
	must(t, c.Pause(name, 0))
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if batch, err := c.Poll(short); batch != nil {
		t.Fatalf("a paused partition gave %d records: %v", len(batch.Records), err)
	}
	must(t, c.Resume(name, 0))
	equal(t, read(t, c, 5), numbered("", 5))
	assigned, err := c.Assignment()
	must(t, err)
	if len(assigned) != 1 || assigned[0].Position != 5 || assigned[0].Lag != 0 || assigned[0].Topic != name {
		t.Fatalf("%+v", assigned)
	}
	offset, err := c.Position(name, 0)
	must(t, err)
	if offset != 5 {
		t.Fatalf("position %d", offset)
	}
}
