package kq_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	kq "github.com/kq-stream/kq/bindings/go"
)

// What the process has in memory, after Go has given back what it does not need.
func residentKiB(t *testing.T) int {
	runtime.GC()
	runtime.GC()
	status, err := os.ReadFile("/proc/self/status")
	must(t, err)
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	var kib int
	_, err = fmt.Sscan(after, &kib)
	must(t, err)
	return kib
}

// The last three quarters of many records must not cost memory that the first quarter did not.
func TestMemoryStaysWhereItIs(t *testing.T) {
	if os.Getenv("KQ_MEMORY") == "" {
		t.Skip("KQ_MEMORY is not set: it wants a program of its own, without the race detector")
	}
	records := 200_000
	if os.Getenv("KQ_TEST_TIER") == "full" {
		records = 1_000_000
	}
	const growthKiBMax = 24 << 10
	at := servers(t)
	name := topic(t, at, 1)
	value := bytes.Repeat([]byte("x"), 100)
	headers := []kq.Header{{Key: "header", Value: []byte("value")}}
	p := newProducer(t, at)
	plain := newConsumer(t, at, kq.WithTopics(name))
	zero := newConsumer(t, at, kq.WithTopics(name), kq.WithZeroCopy())
	admin, err := kq.NewAdmin(within(t), at)
	must(t, err)
	defer admin.Close()
	background := context.Background()
	round := func(count int) {
		for i := range count {
			record := &kq.Record{Topic: name, Value: value, Headers: headers}
			if i%2 == 0 {
				must(t, p.Send(background, record))
			} else {
				must(t, p.SendFunc(background, record, func(kq.Delivery) {}))
			}
		}
		must(t, p.Flush(within(t)))
		for _, c := range []*kq.Consumer{plain, zero} {
			seen := 0
			for record, err := range c.Records(within(t)) {
				must(t, err)
				if len(record.Value) != len(value) || len(record.Headers) != 1 {
					t.Fatalf("%+v", record)
				}
				if seen++; seen == count {
					break
				}
			}
		}
		for range 50 {
			_, err := admin.ListTopics(within(t))
			must(t, err)
			_, err = p.SendSync(background, &kq.Record{Topic: name, Value: make([]byte, 2<<20)})
			mustBe(t, err, kq.ErrRefused)
		}
	}
	round(records / 4)
	before := residentKiB(t)
	for range 3 {
		round(records / 4)
	}
	if grown := residentKiB(t) - before; grown > growthKiBMax {
		t.Fatalf("%d KiB more after %d records", grown, records)
	}
}
