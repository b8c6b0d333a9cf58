package main

import (
	"context"
	"fmt"
	"testing"

	kq "github.com/kq-stream/kq/bindings/go"
	"github.com/kq-stream/kq/bindings/go/kqtest"
)

func TestEachRecordIsWrittenOnceThoughTheProgramIsStoppedHalfWay(t *testing.T) {
	servers := kqtest.NewBroker(t).Address()
	kqtest.NewTopic(t, servers, "from", 1)
	kqtest.NewTopic(t, servers, "to", 1)
	ctx := context.Background()
	producer, err := kq.NewProducer(ctx, servers)
	if err != nil {
		t.Fatal(err)
	}
	const records = 2000
	for i := range records {
		if err := producer.Send(ctx, &kq.Record{Topic: "from", Value: fmt.Append(nil, "v", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := producer.Close(); err != nil {
		t.Fatal(err)
	}
	to, err := kq.NewConsumer(ctx, servers, kq.WithTopics("to"), kq.WithReadCommitted(), kq.FromEarliest())
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	seen := 0
	for _, until := range []int{1, records} {
		running, stop := context.WithCancel(ctx)
		ended := make(chan error)
		go func() { ended <- run(running, servers, "from", "to", "one") }()
		for record, err := range to.Records(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprint("V", seen); string(record.Value) != want {
				t.Fatalf("%s instead of %s", record.Value, want)
			}
			if seen++; seen >= until {
				break
			}
		}
		stop()
		<-ended
	}
}
