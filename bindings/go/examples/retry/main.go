// Retry handles a topic's records; one that cannot be handled goes to a retry topic with a count, and after three attempts to a
// dead-letter topic with the reason.  Nothing is lost, and nothing holds up the others.
//
//	retry SERVERS TOPIC        (with TOPIC.retry and TOPIC.dead beside it)
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"

	kq "github.com/kq-stream/kq/bindings/go"
)

const attemptsMax = 3

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: retry SERVERS TOPIC")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2], handle); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

// What the application does with a record.
func handle(record *kq.Record) error {
	if _, err := strconv.Atoi(string(record.Value)); err != nil {
		return fmt.Errorf("no number: %w", err)
	}
	return nil
}

func run(ctx context.Context, servers, topic string, handle func(*kq.Record) error) error {
	producer, err := kq.NewProducer(ctx, servers)
	if err != nil {
		return err
	}
	defer producer.Close()
	consumer, err := kq.NewConsumer(ctx, servers, kq.WithGroup(topic), kq.WithTopics(topic, topic+".retry"), kq.WithManualCommit(), kq.FromEarliest())
	if err != nil {
		return err
	}
	defer consumer.Close()

	for batch, err := range consumer.Batches(ctx) {
		if err != nil {
			return err
		}
		for record := range batch.All() {
			reason := handle(record)
			if reason == nil {
				continue
			}
			if err := producer.Send(ctx, again(record, topic, reason)); err != nil {
				return err
			}
		}
		if err := producer.Flush(ctx); err != nil {
			return err
		}
		if err := consumer.CommitOffsets(ctx, batch.Next()...); err != nil {
			return err
		}
	}
	return nil
}

// again sends a record on: to be tried again, or, when it has been often enough, to where somebody looks at it.
func again(record *kq.Record, topic string, reason error) *kq.Record {
	attempts := 1
	if text, ok := record.Header("attempts"); ok {
		before, _ := strconv.Atoi(string(text))
		attempts += before
	}
	next := &kq.Record{Topic: topic + ".retry", Key: record.Key, Value: record.Value, Headers: []kq.Header{
		{Key: "attempts", Value: strconv.AppendInt(nil, int64(attempts), 10)},
		{Key: "reason", Value: []byte(reason.Error())},
	}}
	if attempts >= attemptsMax {
		next.Topic = topic + ".dead"
	}
	return next
}
