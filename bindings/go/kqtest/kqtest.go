// Package kqtest starts a broker for a test: kqd inside the test's process, ready in milliseconds, gone with the test.
//
//	func TestOrders(t *testing.T) {
//		servers := kqtest.NewBroker(t).Address()
//		...
//	}
package kqtest

import (
	"context"
	"testing"

	kq "github.com/kq-stream/kq/bindings/go"
	"github.com/kq-stream/kq/bindings/go/broker"
)

// NewBroker starts a broker on a directory of its own and stops it when the test and its subtests have ended.  A broker that failed
// inside fails the test.
func NewBroker(t testing.TB, options ...broker.Option) *broker.Broker {
	t.Helper()
	b, err := broker.Start(context.Background(), t.TempDir(), options...)
	if err != nil {
		t.Fatalf("kqtest: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Failure(); err != nil {
			t.Errorf("kqtest: the broker failed: %v", err)
		}
		if err := b.Stop(); err != nil {
			t.Errorf("kqtest: stopping the broker: %v", err)
		}
	})
	return b
}

// NewTopic makes a topic on a broker and gives its name.
func NewTopic(t testing.TB, servers, name string, partitions int) string {
	t.Helper()
	admin, err := kq.NewAdmin(context.Background(), servers)
	if err != nil {
		t.Fatalf("kqtest: %v", err)
	}
	defer admin.Close()
	if err := admin.CreateTopic(context.Background(), name, partitions); err != nil {
		t.Fatalf("kqtest: topic %s: %v", name, err)
	}
	return name
}
