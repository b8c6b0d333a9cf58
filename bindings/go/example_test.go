package kq_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	kq "github.com/kq-stream/kq/bindings/go"
	"github.com/kq-stream/kq/bindings/go/broker"
)

// The examples have a broker in their own process; yours is "localhost:9092", or wherever it is.
func exampleBroker() (servers string, stop func()) {
	directory, err := os.MkdirTemp("", "kq")
	if err != nil {
		log.Fatal(err)
	}
	b, err := broker.Start(context.Background(), directory)
	if err != nil {
		log.Fatal(err)
	}
	return b.Address(), func() { b.Stop(); os.RemoveAll(directory) }
}

func Example() {
	ctx := context.Background()
	servers, stop := exampleBroker()
	defer stop()

	producer, err := kq.NewProducer(ctx, servers)
	if err != nil {
		log.Fatal(err)
	}
	for _, word := range []string{"hello", "world"} {
		if err := producer.Send(ctx, &kq.Record{Topic: "greetings", Value: []byte(word)}); err != nil {
			log.Fatal(err)
		}
	}
	if err := producer.Close(); err != nil { // what could not be delivered is told here
		log.Fatal(err)
	}

	consumer, err := kq.NewConsumer(ctx, servers, kq.WithTopics("greetings"), kq.FromEarliest())
	if err != nil {
		log.Fatal(err)
	}
	defer consumer.Close()
	for record, err := range consumer.Records(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(record.Offset, string(record.Value))
		if record.Offset == 1 {
			break
		}
	}
	// Output:
	// 0 hello
	// 1 world
}

func ExampleProducer_SendSync() {
	ctx := context.Background()
	servers, stop := exampleBroker()
	defer stop()
	producer, err := kq.NewProducer(ctx, servers)
	if err != nil {
		log.Fatal(err)
	}
	defer producer.Close()
	deliveries, err := producer.SendSync(ctx, &kq.Record{Topic: "orders", Key: []byte("7"), Value: []byte("tea")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(deliveries[0].Topic, deliveries[0].Offset)
	// Output: orders 0
}

func ExampleError() {
	_, err := kq.NewProducer(context.Background(), "localhost:9092", kq.With("linger.millis", "5"))
	var failure *kq.Error
	if errors.As(err, &failure) && errors.Is(err, kq.ErrConfig) {
		fmt.Println(failure.Verdict)
	}
	// Output: refused
}

func ExampleAdmin() {
	ctx := context.Background()
	servers, stop := exampleBroker()
	defer stop()
	admin, err := kq.NewAdmin(ctx, servers)
	if err != nil {
		log.Fatal(err)
	}
	defer admin.Close()
	topic := kq.NewTopic{Name: "orders", Partitions: 3, Config: map[string]string{"cleanup.policy": "compact"}}
	if err := admin.CreateTopics(ctx, topic); err != nil {
		log.Fatal(err)
	}
	fmt.Println(errors.Is(admin.CreateTopics(ctx, topic), kq.ErrTopicAlreadyExists))
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(topics[0].Name, topics[0].Partitions)
	// Output:
	// true
	// orders 3
}
