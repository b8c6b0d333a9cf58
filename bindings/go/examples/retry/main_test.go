package main

import (
	"context"
	"testing"

	kq "github.com/kq-stream/kq/bindings/go"
	"github.com/kq-stream/kq/bindings/go/kqtest"
)

func TestWhatCannotBeHandledEndsAmongTheDeadLetters(t *testing.T) {
	servers := kqtest.NewBroker(t).Address()
	for _, topic := range []string{"work", "work.retry", "work.dead"} {
		kqtest.NewTopic(t, servers, topic, 1)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- run(ctx, servers, "work", handle) }()
	producer, err := kq.NewProducer(ctx, servers)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"1", "two", "3"} {
		if err := producer.Send(ctx, &kq.Record{Topic: "work", Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := producer.Close(); err != nil {
		t.Fatal(err)
	}
	dead, err := kq.NewConsumer(ctx, servers, kq.WithTopics("work.dead"), kq.FromEarliest())
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	for record, err := range dead.Records(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		attempts, _ := record.Header("attempts")
		reason, _ := record.Header("reason")
		if string(record.Value) != "two" || string(attempts) != "3" || len(reason) == 0 {
			t.Fatalf("%s after %s: %s", record.Value, attempts, reason)
		}
		break
	}
	stop()
	<-ended
}
