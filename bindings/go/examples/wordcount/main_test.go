package main

import (
	"context"
	"testing"

	kq "github.com/kq-stream/kq/bindings/go"
	"github.com/kq-stream/kq/bindings/go/kqtest"
)

func TestWordsAreCounted(t *testing.T) {
	servers := kqtest.NewBroker(t).Address()
	kqtest.NewTopic(t, servers, "lines", 1)
	kqtest.NewTopic(t, servers, "counts", 1)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- run(ctx, servers, "lines", "counts") }()
	producer, err := kq.NewProducer(ctx, servers)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"the quick fox", "the lazy dog", "The end"} {
		if err := producer.Send(ctx, &kq.Record{Topic: "lines", Value: []byte(line)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := producer.Close(); err != nil {
		t.Fatal(err)
	}
	counts, err := kq.NewConsumer(ctx, servers, kq.WithTopics("counts"), kq.FromEarliest())
	if err != nil {
		t.Fatal(err)
	}
	defer counts.Close()
	table, seen := map[string]string{}, 0
	for count, err := range counts.Records(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		table[string(count.Key)] = string(count.Value)
		if seen++; seen == 8 {
			break
		}
	}
	if table["the"] != "3" || table["fox"] != "1" || len(table) != 6 {
		t.Fatalf("%v", table)
	}
	stop()
	<-ended
}
