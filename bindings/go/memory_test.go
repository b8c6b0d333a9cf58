package kq_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	kq "github.com/kq-stream/kq/bindings/go"
	"github.com/kq-stream/kq/bindings/go/broker"
	"github.com/kq-stream/kq/bindings/go/kqtest"
)

const (
	memoryRounds    = 12 // of so many records, after three to warm up
	memoryRecords   = 100_000
	memoryMinutes   = 10 // of the full tier
	growthKiBMax    = 24 << 10
	memoryValueSize = 100
)

func needMemoryRun(t *testing.T) {
	if os.Getenv("KQ_MEMORY") == "" {
		t.Skip("KQ_MEMORY is not set: it wants a program of its own, without the race detector")
	}
}

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

// grown tells by how much memory grows in rounds that come after some to warm up: a million records and more, or ten minutes.
func grown(t *testing.T, round func()) (kib, rounds int) {
	t.Helper()
	for range 3 {
		round()
	}
	before := residentKiB(t)
	end := time.Now()
	if os.Getenv("KQ_TEST_TIER") == "full" {
		end = end.Add(memoryMinutes * time.Minute)
	}
	for rounds < memoryRounds || time.Now().Before(end) {
		round()
		rounds++
	}
	return residentKiB(t) - before, rounds
}

func TestMemoryStaysWhereItIs(t *testing.T) {
	needMemoryRun(t)
	ctx := context.Background()
	at := kqtest.NewBroker(t, broker.With("log.retention.check.interval.ms", "1000")).Address()
	name, queue := topic(t, at, 1), topic(t, at, 1)
	for _, each := range []string{name, queue} {
		setConfig(t, at, each, "segment.bytes", "16777216")
		setConfig(t, at, each, "retention.bytes", "134217728")
	}
	value := bytes.Repeat([]byte("x"), memoryValueSize)
	headers := []kq.Header{{Key: "header", Value: []byte("value")}}
	p := newProducer(t, at)
	plain := newConsumer(t, at, kq.WithTopics(name))
	zero := newConsumer(t, at, kq.WithTopics(name), kq.WithZeroCopy())
	share := newShareConsumer(t, at, kq.WithTopics(queue), kq.WithGroup(shareGroup(t, at, "memory")))
	admin, err := kq.NewAdmin(within(t), at)
	must(t, err)
	defer admin.Close()
	seen := func(record *kq.Record, err error) {
		must(t, err)
		if len(record.Value) != len(value) || len(record.Headers) != 1 {
			t.Fatalf("%+v", record)
		}
	}
	round := func() {
		for i := range memoryRecords {
			record := &kq.Record{Topic: name, Value: value, Headers: headers}
			if i%20 == 0 {
				must(t, p.Send(ctx, &kq.Record{Topic: queue, Value: value, Headers: headers}))
			}
			if i%2 == 0 {
				must(t, p.Send(ctx, record))
			} else {
				must(t, p.SendFunc(ctx, record, func(kq.Delivery) {}))
			}
		}
		must(t, p.Flush(within(t)))
		for _, c := range []*kq.Consumer{plain, zero} {
			left := memoryRecords
			for record, err := range c.Records(within(t)) {
				seen(record, err)
				if left--; left == 0 {
					break
				}
			}
		}
		left := memoryRecords / 20
		for record, err := range share.Records(within(t)) {
			seen(record, err)
			if left--; left == 0 {
				break
			}
		}
		must(t, share.Commit(within(t)))
		for range 20 {
			_, err := admin.ListTopics(within(t))
			must(t, err)
			_, err = p.SendSync(ctx, &kq.Record{Topic: name, Value: make([]byte, 2<<20)})
			mustBe(t, err, kq.ErrRefused)
		}
	}
	kib, rounds := grown(t, round)
	t.Logf("%d KiB more after %d records", kib, rounds*memoryRecords)
	if kib > growthKiBMax {
		t.Fatalf("%d KiB more after %d records", kib, rounds*memoryRecords)
	}
}

var leak [][]byte

// A leak of half of each record's value would be seen.
func TestMemoryThatLeaksIsSeen(t *testing.T) {
	needMemoryRun(t)
	if os.Getenv("KQ_TEST_TIER") == "full" {
		t.Skip("ten minutes of it would fill the machine")
	}
	kib, _ := grown(t, func() {
		kept := make([]byte, memoryRecords*memoryValueSize/2)
		for i := range kept {
			kept[i] = byte(i)
		}
		leak = append(leak, kept)
	})
	leak = nil
	if kib <= growthKiBMax {
		t.Fatalf("%d KiB more, and that passes", kib)
	}
}
