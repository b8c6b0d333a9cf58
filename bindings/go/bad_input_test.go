package kq_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	kq "github.com/kq-stream/kq/bindings/go"
	"github.com/kq-stream/kq/bindings/go/broker"
	"github.com/kq-stream/kq/bindings/go/kqtest"
)

func TestAWrongConfigurationIsToldWithWhatToChange(t *testing.T) {
	ctx := within(t)
	for _, each := range []struct {
		options []kq.Option
		words   string
	}{
		{[]kq.Option{kq.With("linger.mss", "5")}, "linger.ms"},
		{[]kq.Option{kq.With("linger.ms", "soon")}, "linger.ms"},
		{[]kq.Option{kq.With("acks", "2")}, "acks"},
		{[]kq.Option{kq.With("linger.ms", "5\x00")}, "zero byte"},
		{[]kq.Option{kq.WithFile("/nowhere/at.all")}, "/nowhere/at.all"},
		{[]kq.Option{nil}, "nil"},
	} {
		p, err := kq.NewProducer(ctx, "localhost:1", each.options...)
		if err == nil || p != nil || !strings.Contains(err.Error(), each.words) {
			t.Errorf("%q: %v", each.words, err)
		}
		var failure *kq.Error
		if !errors.As(err, &failure) || failure.Verdict != kq.ErrRefused {
			t.Errorf("%q: %#v", each.words, err)
		}
	}
	if _, err := kq.NewProducer(ctx, ""); err == nil {
		t.Error("no servers, and no error")
	}
	if _, err := kq.NewConsumer(ctx, "localhost:1", kq.WithPattern("a.*")); err == nil {
		t.Error("a pattern needs a group")
	}
	if _, err := kq.NewConsumer(ctx, "localhost:1", kq.WithTopics("a"), kq.WithPattern("b")); err == nil {
		t.Error("topics or a pattern")
	}
}

func TestNilAndNonsenseAreErrors(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	ctx := within(t)
	p := newProducer(t, at, kq.With("max.block.ms", "2000"))
	c := newConsumer(t, at)
	var none context.Context
	list := map[string]error{
		"nil record":           p.Send(ctx, nil),
		"nil context":          p.Send(none, &kq.Record{Topic: name}),
		"nil context of flush": p.Flush(none),
		"no topic":             p.Send(ctx, &kq.Record{Value: []byte("v")}),
		"zero in topic":        p.Send(ctx, &kq.Record{Topic: "a\x00b"}),
		"no such topic name":   p.Send(ctx, &kq.Record{Topic: "no spaces!"}),
		"no transactional.id":  p.Transact(ctx, func(*kq.Tx) error { return nil }),
		"nil function":         p.Transact(ctx, nil),
		"assign nothing":       c.Assign(kq.TopicPartition{}),
		"assign minus one":     c.Assign(kq.TopicPartition{Topic: name, Partition: -1}),
		"seek what is not":     c.Seek(name, 7, 0),
		"no group":             c.Subscribe(name),
		"commit without group": c.Commit(ctx),
		"nil record to commit": c.CommitRecords(ctx, nil),
	}
	_, list["nil context of poll"] = c.Poll(none)
	_, list["nil among many"] = p.SendSync(ctx, &kq.Record{Topic: name}, nil)
	admin, err := kq.NewAdmin(ctx, at)
	must(t, err)
	_, list["no such operation"] = admin.Run(ctx, "make_coffee", nil)
	_, list["no such parameter"] = admin.Run(ctx, "create_topics", nil, kq.Item{"tpic": "x"})
	_, list["wrong type"] = admin.Run(ctx, "create_topics", nil, kq.Item{"topic": 7})
	_, list["type of nobody"] = admin.Run(ctx, "create_topics", nil, kq.Item{"topic": 7.5})
	for what, err := range list {
		if err == nil {
			t.Errorf("%s: no error", what)
		} else if err.Error() == "" {
			t.Errorf("%s: no words", what)
		}
	}
	must(t, admin.Close())
	must(t, admin.Close())
	_, err = admin.Run(ctx, "list_topics", nil)
	mustBe(t, err, kq.ErrClosed)
}

func TestAfterCloseEverythingIsRefused(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	ctx := within(t)
	p := newProducer(t, at)
	must(t, p.Send(ctx, &kq.Record{Topic: name}))
	must(t, p.Close())
	must(t, p.Close())
	mustBe(t, p.Send(ctx, &kq.Record{Topic: name}), kq.ErrClosed)
	mustBe(t, p.Flush(ctx), kq.ErrClosed)
	mustBe(t, p.Purge(), kq.ErrClosed)
	_, err := p.Partitions(ctx, name)
	mustBe(t, err, kq.ErrClosed)
	if p.Pending() != 0 {
		t.Fatal("pending")
	}
	c := newConsumer(t, at, kq.WithTopics(name))
	must(t, c.Close())
	must(t, c.Close())
	_, err = c.Poll(ctx)
	mustBe(t, err, kq.ErrClosed)
	mustBe(t, c.Assign(), kq.ErrClosed)
	mustBe(t, c.Commit(ctx), kq.ErrClosed)
	_, err = c.Assignment()
	mustBe(t, err, kq.ErrClosed)
	rounds := 0
	for _, err := range c.Records(ctx) {
		mustBe(t, err, kq.ErrClosed)
		rounds++
	}
	if rounds != 1 {
		t.Fatalf("%d rounds", rounds)
	}
}

func TestClosingUnderWayIsSafe(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	for range 5 {
		p, err := kq.NewProducer(within(t), at, kq.WithLinger(0))
		must(t, err)
		c, err := kq.NewConsumer(within(t), at, kq.WithTopics(name), kq.FromEarliest())
		must(t, err)
		var wait sync.WaitGroup
		for range 4 {
			wait.Add(2)
			go func() {
				defer wait.Done()
				for {
					if err := p.SendFunc(context.Background(), &kq.Record{Topic: name, Value: []byte("v")}, func(kq.Delivery) {}); err != nil {
						return
					}
				}
			}()
			go func() {
				defer wait.Done()
				for record, err := range c.Records(context.Background()) {
					if err != nil {
						return
					}
					_ = record.Value
				}
			}()
		}
		time.Sleep(5 * time.Millisecond) // anything may be under way
		must(t, c.Close())
		must(t, p.Close())
		wait.Wait()
	}
}

func TestAContextEndsAWait(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	c := newConsumer(t, at, kq.WithTopics(name))
	ctx, cancel := context.WithCancel(context.Background())
	go cancel()
	_, err := c.Poll(ctx)
	mustBe(t, err, context.Canceled)
	short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	rounds := 0
	for _, err := range c.Records(short) {
		mustBe(t, err, context.DeadlineExceeded)
		rounds++
	}
	if rounds != 1 {
		t.Fatalf("%d rounds", rounds)
	}
	produce(t, at, name, "after")
	equal(t, read(t, c, 1), []string{"after"}) // and the consumer goes on

	// Nobody answers there.
	p, err := kq.NewProducer(context.Background(), "127.0.0.1:1")
	must(t, err)
	short, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	mustBe(t, p.Send(short, &kq.Record{Topic: "t"}), context.DeadlineExceeded)
	must(t, p.Close())
	p, err = kq.NewProducer(context.Background(), "127.0.0.1:1", kq.With("max.block.ms", "30"))
	must(t, err)
	mustBe(t, p.Send(context.Background(), &kq.Record{Topic: "t"}), kq.ErrTimedOut, kq.ErrRetry)
	must(t, p.Close())
}

func TestAFailedDeliveryIsToldByFlush(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	p := newProducer(t, at)
	must(t, p.Send(within(t), &kq.Record{Topic: name, Value: []byte("good")}))
	must(t, p.Send(within(t), &kq.Record{Topic: name, Value: make([]byte, 40<<10), Headers: make([]kq.Header, 500)}))
	must(t, p.Flush(within(t)))
	setConfig(t, at, name, "max.message.bytes", "2000")
	for { // a broker obeys a little after it has agreed
		_, err := p.SendSync(within(t), &kq.Record{Topic: name, Value: make([]byte, 10_000)})
		if err != nil {
			break
		}
	}
	must(t, p.Send(within(t), &kq.Record{Topic: name, Value: make([]byte, 10_000)}))
	heard := make(chan error, 1)
	must(t, p.SendFunc(within(t), &kq.Record{Topic: name, Value: make([]byte, 10_000)}, func(d kq.Delivery) { heard <- d.Err }))
	err := p.Flush(within(t))
	var failure *kq.FlushError
	if !errors.As(err, &failure) || failure.Failed != 1 {
		t.Fatalf("%v", err)
	}
	mustBe(t, err, kq.ErrMessageTooLarge)
	var first *kq.Error
	if !errors.As(err, &first) || first.Topic != name || first.Partition != 0 || first.Message == "" {
		t.Fatalf("%+v", first)
	}
	mustBe(t, <-heard, kq.ErrMessageTooLarge)
	must(t, p.Flush(within(t)))
}

// setConfig changes a topic's setting and waits until it can be seen.
func setConfig(t *testing.T, at, topic, key, value string) {
	t.Helper()
	admin, err := kq.NewAdmin(within(t), at)
	must(t, err)
	defer admin.Close()
	must(t, admin.SetTopicConfig(within(t), topic, map[string]string{key: value}))
	eventually(t, &sync.Mutex{}, func() bool {
		config, err := admin.TopicConfig(within(t), topic)
		must(t, err)
		return config[key] == value
	})
}

func TestATopicThatIsNotThereIsTold(t *testing.T) {
	at := servers(t)
	p := newProducer(t, at, kq.With("max.block.ms", "300"))
	if os.Getenv("KQ_SERVERS") != "" { // there topics are not made by themselves
		err := p.Send(within(t), &kq.Record{Topic: "nobody-made-it"})
		if err == nil {
			t.Fatal("it was taken")
		}
	}
	c := newConsumer(t, at, kq.With("allow.auto.create.topics", "false"), kq.WithPartitions(kq.TopicPartition{Topic: "nor-this"}))
	for _, err := range c.Records(within(t)) {
		mustBe(t, err, kq.ErrUnknownTopicOrPartition)
		var failure *kq.Error
		if !errors.As(err, &failure) || failure.Topic != "nor-this" {
			t.Fatalf("%+v", failure)
		}
		break
	}
}

func TestForgottenHandlesAreCollected(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	before := descriptors(t)
	for range 20 {
		p, err := kq.NewProducer(within(t), at)
		must(t, err)
		must(t, p.Send(within(t), &kq.Record{Topic: name}))
		_, err = kq.NewConsumer(within(t), at, kq.WithTopics(name))
		must(t, err)
		_, err = kq.NewAdmin(within(t), at)
		must(t, err)
	}
	for deadline := time.Now().Add(30 * time.Second); descriptors(t) > before+20; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors instead of %d", descriptors(t), before)
		}
		runtime.GC()
	}
}

func descriptors(t *testing.T) int {
	open, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(open)
}

func TestLogLinesGoToSlog(t *testing.T) {
	var lock sync.Mutex
	var text strings.Builder
	logger := slog.New(slog.NewTextHandler(writer(func(line []byte) {
		lock.Lock()
		defer lock.Unlock()
		text.Write(line)
	}), &slog.HandlerOptions{Level: slog.LevelDebug}))
	b, err := broker.Start(within(t), t.TempDir(), broker.WithLogger(logger))
	must(t, err)
	p := newProducer(t, b.Address(), kq.WithLogger(logger))
	must(t, p.Close())
	must(t, b.Stop())
	must(t, b.Stop())
	if b.Address() != "" || b.Failure() != nil {
		t.Fatal("it is stopped")
	}
	eventually(t, &lock, func() bool {
		return strings.Contains(text.String(), "level=INFO") && strings.Contains(text.String(), "part=")
	})
}

type writer func([]byte)

func (w writer) Write(line []byte) (int, error) { w(line); return len(line), nil }

func TestABrokerRefusesWhatIsNoDirectoryOfItsOwn(t *testing.T) {
	foreign := t.TempDir()
	must(t, os.WriteFile(filepath.Join(foreign, "letter.txt"), []byte("dear"), 0o600))
	for _, options := range [][]broker.Option{nil, {broker.With("no.such.key.at.all", "1"), broker.With("log.dirs", "")}} {
		if b, err := broker.Start(within(t), foreign, options...); err == nil {
			b.Stop()
			t.Error("it took somebody else's directory")
		}
	}
	one := kqtest.NewBroker(t)
	two := kqtest.NewBroker(t, broker.With("auto.create.topics.enable", "false"))
	if one.Address() == two.Address() {
		t.Fatal("two brokers, one address")
	}
}

// The program may end as it likes: nothing waits, nothing crashes.
func TestAProgramMayEndWithoutClose(t *testing.T) {
	if at := os.Getenv("KQ_ENDS_AT"); at != "" {
		p, _ := kq.NewProducer(context.Background(), at)
		c, _ := kq.NewConsumer(context.Background(), at, kq.WithTopics(os.Getenv("KQ_ENDS_TOPIC")), kq.FromEarliest(), kq.WithGroup("ends"))
		_ = p.Send(context.Background(), &kq.Record{Topic: os.Getenv("KQ_ENDS_TOPIC")})
		s, _ := kq.NewShareConsumer(context.Background(), at, kq.WithTopics(os.Getenv("KQ_ENDS_TOPIC")), kq.WithGroup("ends-share"))
		go c.Poll(context.Background())
		go s.Poll(context.Background())
		os.Exit(7)
	}
	command := exec.Command(os.Args[0], "-test.run=TestAProgramMayEndWithoutClose")
	at := servers(t)
	command.Env = append(os.Environ(), "KQ_ENDS_AT="+at, "KQ_ENDS_TOPIC="+topic(t, at, 1))
	start := time.Now()
	out, _ := command.CombinedOutput()
	if command.ProcessState.ExitCode() != 7 || time.Since(start) > 20*time.Second {
		t.Fatalf("%v after %v\n%s", command.ProcessState, time.Since(start), out)
	}
}

func TestAProgramThatIsStartedInheritsNothing(t *testing.T) {
	inherited := func() string {
		open, err := exec.Command("ls", "/proc/self/fd").Output()
		must(t, err)
		return string(open)
	}
	before := inherited()
	at := servers(t)
	name := topic(t, at, 1)
	newConsumer(t, at, kq.WithTopics(name))
	p := newProducer(t, at)
	must(t, p.Send(within(t), &kq.Record{Topic: name}))
	must(t, p.Flush(within(t)))
	equal(t, strings.Fields(inherited()), strings.Fields(before))
	must(t, p.Send(within(t), &kq.Record{Topic: name})) // and nothing is lost here
	must(t, p.Flush(within(t)))
}

func TestCodesHaveTheNamesOfC(t *testing.T) {
	for code, name := range map[kq.Code]string{kq.ErrUnknownTopicOrPartition: "UNKNOWN_TOPIC_OR_PARTITION", kq.ErrClosed: "CLOSED",
		kq.ErrUnknownTopicID: "UNKNOWN_TOPIC_ID", kq.ErrShareSessionLimitReached: "SHARE_SESSION_LIMIT_REACHED"} {
		if code.Error() != name {
			t.Errorf("%d: %s", code, code.Error())
		}
	}
	err := error(&kq.Error{Code: kq.ErrNoRoom, Verdict: kq.ErrRetry, Message: "full"})
	mustBe(t, err, kq.ErrNoRoom, kq.ErrRetry)
	if errors.Is(err, kq.ErrFatal) || errors.Is(err, kq.ErrClosed) {
		t.Error("it is neither")
	}
}
