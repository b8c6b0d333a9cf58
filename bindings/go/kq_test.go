package kq_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	kq "github.com/kq-stream/kq/bindings/go"
	"github.com/kq-stream/kq/bindings/go/kqtest"
)

// The servers that the tests run against: an embedded broker each, or what KQ_SERVERS names, where topics are given names of their own.
func servers(t testing.TB) string {
	if given := os.Getenv("KQ_SERVERS"); given != "" {
		return given
	}
	return kqtest.NewBroker(t).Address()
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

var topicNumber int

func topic(t testing.TB, servers string, partitions int) string {
	topicNumber++
	return kqtest.NewTopic(t, servers, fmt.Sprintf("go-%d-%d", os.Getpid(), topicNumber), partitions)
}

func newProducer(t testing.TB, servers string, options ...kq.Option) *kq.Producer {
	t.Helper()
	p, err := kq.NewProducer(within(t), servers, options...)
	must(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

func newConsumer(t testing.TB, servers string, options ...kq.Option) *kq.Consumer {
	t.Helper()
	c, err := kq.NewConsumer(within(t), servers, append([]kq.Option{kq.FromEarliest()}, options...)...)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustBe(t testing.TB, err error, want ...error) {
	t.Helper()
	for _, each := range want {
		if !errors.Is(err, each) {
			t.Fatalf("%v (%T) is no %v", err, err, each)
		}
	}
}

func produce(t testing.TB, servers, topic string, values ...string) {
	t.Helper()
	p := newProducer(t, servers)
	for _, value := range values {
		must(t, p.Send(within(t), &kq.Record{Topic: topic, Value: []byte(value)}))
	}
	must(t, p.Close())
}

// The values of the next n records.
func read(t testing.TB, c *kq.Consumer, n int) []string {
	t.Helper()
	var values []string
	for record, err := range c.Records(within(t)) {
		must(t, err)
		if values = append(values, string(record.Value)); len(values) == n {
			break
		}
	}
	return values
}

func numbered(prefix string, count int) []string {
	list := make([]string, count)
	for i := range list {
		list[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return list
}

func equal[T comparable](t testing.TB, got, want []T) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}
