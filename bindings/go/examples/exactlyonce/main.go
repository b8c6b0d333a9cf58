// Exactlyonce reads a topic, turns every value to upper case, and writes it to another: each record once, whatever dies when.  The
// offsets are committed in the transaction that writes the records, so both happen or neither.
//
//	exactlyonce SERVERS FROM TO ID        (run one program for each ID)
package main

import (
	"bytes"
	"context"
	"errors"
	"log"
	"os"
	"os/signal"

	kq "github.com/kq-stream/kq/bindings/go"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: exactlyonce SERVERS FROM TO ID")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

func run(ctx context.Context, servers, from, to, id string) error {
	producer, err := kq.NewProducer(ctx, servers, kq.WithTransactionalID(id))
	if err != nil {
		return err
	}
	defer producer.Close()
	// Ends what an earlier run left open, before its offsets are asked for.
	if err := producer.Transact(ctx, func(*kq.Tx) error { return nil }); err != nil {
		return err
	}
	consumer, err := kq.NewConsumer(ctx, servers, kq.WithGroup(from+"-to-"+to), kq.WithTopics(from), kq.WithManualCommit(), kq.WithReadCommitted(), kq.FromEarliest())
	if err != nil {
		return err
	}
	defer consumer.Close()

	for batch, err := range consumer.Batches(ctx) {
		if err != nil {
			return err
		}
		err := producer.Transact(ctx, func(tx *kq.Tx) error {
			for record := range batch.All() {
				if err := tx.Send(ctx, &kq.Record{Topic: to, Key: record.Key, Value: bytes.ToUpper(record.Value)}); err != nil {
					return err
				}
			}
			return tx.Consumed(ctx, consumer, batch)
		})
		if err != nil && !errors.Is(err, kq.ErrAbort) { // what was aborted is polled again
			return err
		}
	}
	return nil
}
