package kq_test

import (
	"context"
	"sort"
	"sync"
	"testing"
	"time"

	kq "github.com/kq-stream/kq/bindings/go"
)

func TestAGroupGoesOnWhereItCommitted(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	produce(t, at, name, numbered("", 20)...)
	options := []kq.Option{kq.WithGroup(name), kq.WithTopics(name), kq.WithManualCommit()}
	c := newConsumer(t, at, options...)
	equal(t, read(t, c, 5), numbered("", 5))
	must(t, c.Commit(within(t))) // what the loop has not come to is not committed
	committed, err := c.Committed(within(t), kq.TopicPartition{Topic: name})
	must(t, err)
	if len(committed) != 1 || committed[0].Offset != 5 {
		t.Fatalf("%+v", committed)
	}
	read(t, c, 5)
	must(t, c.Close())

	c = newConsumer(t, at, options...)
	for record, err := range c.Records(within(t)) {
		must(t, err)
		if record.Offset != 5 {
			t.Fatalf("went on at %d", record.Offset)
		}
		must(t, c.CommitRecords(within(t), record, &kq.Record{Topic: name, Offset: 2}))
		break
	}
	must(t, c.CommitOffsets(within(t), kq.TopicPartition{Topic: name, Offset: 9, Metadata: "note"}))
	committed, err = c.Committed(within(t))
	must(t, err)
	if len(committed) != 1 || committed[0].Offset != 9 || committed[0].Metadata != "note" {
		t.Fatalf("%+v", committed)
	}
}

func TestAutoCommitCommitsWhatTheLoopHasComeBackFrom(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	produce(t, at, name, numbered("", 10)...)
	options := []kq.Option{kq.WithGroup(name), kq.WithTopics(name), kq.With("max.poll.records", "4")}
	c := newConsumer(t, at, options...)
	read(t, c, 6) // the second batch is not done with
	must(t, c.Close())
	c = newConsumer(t, at, options...)
	equal(t, read(t, c, 2), []string{"4", "5"})
}

func TestMembersShareAndRebalancesAreTold(t *testing.T) {
	for _, protocol := range []string{"classic", "consumer"} {
		t.Run(protocol, func(t *testing.T) {
			at := servers(t)
			name := topic(t, at, 4)
			var lock sync.Mutex
			owned := map[string]map[int32]bool{"a": {}, "b": {}}
			kinds := map[kq.RebalanceKind]int{}
			member := func(who string) *kq.Consumer {
				return newConsumer(t, at, kq.WithGroup(name), kq.WithTopics(name), kq.With("group.protocol", protocol), kq.WithClientID(who),
					kq.WithRebalance(func(ctx context.Context, c *kq.Consumer, event kq.Rebalance) error {
						lock.Lock()
						defer lock.Unlock()
						kinds[event.Kind]++
						for _, each := range event.Partitions {
							if event.Kind == kq.Assigned {
								owned[who][each.Partition] = true
							} else {
								delete(owned[who], each.Partition)
							}
						}
						if event.Kind == kq.Revoked {
							return c.Commit(ctx) // is still possible
						}
						return nil
					}))
			}
			ctx, stop := context.WithCancel(within(t))
			var wait sync.WaitGroup
			run := func(c *kq.Consumer) {
				wait.Add(1)
				go func() {
					defer wait.Done()
					for range c.Batches(ctx) {
					}
				}()
			}
			count := func(a, b int) func() bool {
				return func() bool { return len(owned["a"]) == a && len(owned["b"]) == b }
			}
			first := member("a")
			run(first)
			eventually(t, &lock, count(4, 0))
			second := member("b")
			run(second)
			eventually(t, &lock, count(2, 2))
			must(t, second.Close())
			lock.Lock()
			owned["b"] = map[int32]bool{}
			lock.Unlock()
			eventually(t, &lock, count(4, 0))
			stop()
			wait.Wait()
			if kinds[kq.Assigned] == 0 || kinds[kq.Revoked] == 0 {
				t.Fatalf("%v", kinds)
			}
		})
	}
}

func eventually(t *testing.T, lock *sync.Mutex, true_ func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		lock.Lock()
		done := true_()
		lock.Unlock()
		if done {
			return
		}
	}
	t.Fatal("it did not come to that")
}

func TestATransactionCountsAsAWholeOrNotAtAll(t *testing.T) {
	at := servers(t)
	in, out := topic(t, at, 1), topic(t, at, 1)
	produce(t, at, in, numbered("", 6)...)
	p := newProducer(t, at, kq.WithTransactionalID(in))
	c := newConsumer(t, at, kq.WithGroup(in), kq.WithTopics(in), kq.WithManualCommit(), kq.With("max.poll.records", "3"))
	failed := false
	seen := 0
	for batch, err := range c.Batches(within(t)) {
		must(t, err)
		err := p.Transact(within(t), func(tx *kq.Tx) error {
			for record := range batch.All() {
				if err := tx.Send(within(t), &kq.Record{Topic: out, Value: append([]byte("x"), record.Value...)}); err != nil {
					return err
				}
			}
			if err := tx.Consumed(within(t), c, batch); err != nil {
				return err
			}
			if !failed && batch.Records[0].Offset == 3 {
				failed = true
				return context.Canceled // anybody's error
			}
			return nil
		})
		if failed && err != nil {
			mustBe(t, err, context.Canceled)
			continue // the same records come again
		}
		must(t, err)
		if seen += len(batch.Records); seen == 6 {
			break
		}
	}
	if !failed {
		t.Fatal("nothing was aborted")
	}
	equal(t, read(t, newConsumer(t, at, kq.WithTopics(out), kq.WithReadCommitted()), 6), []string{"x0", "x1", "x2", "x3", "x4", "x5"})
	committed, err := c.Committed(within(t))
	must(t, err)
	if len(committed) != 1 || committed[0].Offset != 6 {
		t.Fatalf("%+v", committed)
	}
}

func TestATransactionEndsWithItsFunction(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	p := newProducer(t, at, kq.WithTransactionalID(name))
	must(t, p.Transact(within(t), func(*kq.Tx) error { return nil }))
	var kept *kq.Tx
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic went nowhere")
			}
		}()
		p.Transact(within(t), func(tx *kq.Tx) error {
			kept = tx
			must(t, tx.Send(within(t), &kq.Record{Topic: name, Value: []byte("dropped")}))
			panic("of the application")
		})
	}()
	mustBe(t, kept.Send(within(t), &kq.Record{Topic: name}), kq.ErrRefused)
	mustBe(t, p.Send(within(t), &kq.Record{Topic: name}), kq.ErrRefused, kq.ErrInvalidTxnState)

	err := p.Transact(within(t), func(tx *kq.Tx) error {
		return tx.Send(within(t), &kq.Record{Topic: name, Value: make([]byte, 30<<10), Headers: []kq.Header{{Key: "k", Value: make([]byte, 20<<10)}}})
	})
	must(t, err)
	err = p.Transact(within(t), func(tx *kq.Tx) error {
		must(t, tx.Send(within(t), &kq.Record{Topic: name, Value: []byte("kept")}))
		return tx.Send(within(t), &kq.Record{Topic: name, Value: make([]byte, 4<<20)})
	})
	mustBe(t, err, kq.ErrRefused)
	must(t, p.Transact(within(t), func(tx *kq.Tx) error { return tx.Send(within(t), &kq.Record{Topic: name, Value: []byte("last")}) }))
	got := read(t, newConsumer(t, at, kq.WithTopics(name), kq.WithReadCommitted()), 2)
	if len(got[0]) != 30<<10 || got[1] != "last" {
		t.Fatalf("%d bytes, then %q", len(got[0]), got[1])
	}
}

func TestASecondProducerFencesTheFirst(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	send := func(p *kq.Producer) error {
		return p.Transact(within(t), func(tx *kq.Tx) error { return tx.Send(within(t), &kq.Record{Topic: name, Value: []byte("v")}) })
	}
	first := newProducer(t, at, kq.WithTransactionalID(name))
	must(t, send(first))
	second := newProducer(t, at, kq.WithTransactionalID(name))
	must(t, send(second))
	mustBe(t, send(first), kq.ErrFatal)
	must(t, send(second))
}

func TestAdminManagesTopicsConfigurationsAndGroups(t *testing.T) {
	at := servers(t)
	ctx := within(t)
	admin, err := kq.NewAdmin(ctx, at)
	must(t, err)
	defer admin.Close()
	name := topic(t, at, 2)
	mustBe(t, admin.CreateTopic(ctx, name, 1), kq.ErrTopicAlreadyExists, kq.ErrRefused)
	must(t, admin.CreatePartitions(ctx, name, 3))
	topics, err := admin.DescribeTopics(ctx, name)
	must(t, err)
	if len(topics) != 1 || topics[0].Partitions != 3 || len(topics[0].Placement) != 3 || len(topics[0].Placement[0].InSync) != 1 {
		t.Fatalf("%+v", topics)
	}
	setConfig(t, at, name, "retention.ms", "123456")
	listed, err := admin.ListTopics(ctx)
	must(t, err)
	var names []string
	for _, each := range listed {
		names = append(names, each.Name)
	}
	if sort.Strings(names); !contains(names, name) {
		t.Fatalf("%v", names)
	}
	cluster, err := admin.DescribeCluster(ctx)
	must(t, err)
	if len(cluster.Nodes) != 1 || cluster.ID == "" || cluster.Nodes[0].Port == 0 {
		t.Fatalf("%+v", cluster)
	}
	produce(t, at, name, "a")
	must(t, admin.SetGroupOffsets(ctx, name, kq.TopicPartition{Topic: name, Partition: 1, Offset: 7}))
	offsets, err := admin.GroupOffsets(ctx, name)
	must(t, err)
	if len(offsets) != 1 || offsets[0].Offset != 7 || offsets[0].Partition != 1 {
		t.Fatalf("%+v", offsets)
	}
	groups, err := admin.ListGroups(ctx)
	must(t, err)
	found := false
	for _, group := range groups {
		found = found || group.ID == name
	}
	if !found {
		t.Fatalf("%+v", groups)
	}
	must(t, admin.DeleteGroups(ctx, name))
	ends, err := admin.Offsets(ctx, kq.TopicPartition{Topic: name, Partition: 0, Offset: kq.OffsetEarliest})
	must(t, err)
	if len(ends) != 1 || ends[0].Offset != 0 {
		t.Fatalf("%+v", ends)
	}
	rows, err := admin.Run(ctx, "describe_topics", nil, kq.Item{"topic": name})
	must(t, err)
	if len(rows) != 1 || rows[0].String("topic") != name || len(rows[0].Rows("partitions")) != 3 || rows[0].Rows("partitions")[0].Rows("isr")[0].Int("node") < 0 {
		t.Fatalf("%+v", rows)
	}
	must(t, admin.DeleteTopics(ctx, name))
	if _, err := admin.DescribeTopics(ctx, name); err == nil {
		t.Fatal("it is still there")
	}
	if operations := kq.Operations(); len(operations) < 10 || operations[0].Doc == "" || len(operations[0].Columns) == 0 {
		t.Fatalf("%+v", operations)
	}
}

func contains(list []string, text string) bool {
	for _, each := range list {
		if each == text {
			return true
		}
	}
	return false
}
