// Wordcount reads lines from a topic and keeps the count of each word in another, keyed by the word: a compacted topic then holds a
// table of counts.
//
//	wordcount SERVERS LINES COUNTS
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"

	kq "github.com/kq-stream/kq/bindings/go"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: wordcount SERVERS LINES COUNTS")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2], os.Args[3]); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

func run(ctx context.Context, servers, lines, counts string) error {
	producer, err := kq.NewProducer(ctx, servers)
	if err != nil {
		return err
	}
	defer producer.Close()
	consumer, err := kq.NewConsumer(ctx, servers, kq.WithGroup("wordcount"), kq.WithTopics(lines), kq.WithManualCommit(), kq.FromEarliest())
	if err != nil {
		return err
	}
	defer consumer.Close()

	words := map[string]int{}
	for batch, err := range consumer.Batches(ctx) {
		if err != nil {
			return err
		}
		for line := range batch.All() {
			for _, word := range strings.Fields(strings.ToLower(string(line.Value))) {
				words[word]++
				count := &kq.Record{Topic: counts, Key: []byte(word), Value: strconv.AppendInt(nil, int64(words[word]), 10)}
				if err := producer.Send(ctx, count); err != nil {
					return err
				}
			}
		}
		if err := producer.Flush(ctx); err != nil { // first the counts, then that their lines are done with
			return err
		}
		if err := consumer.CommitOffsets(ctx, batch.Next()...); err != nil {
			return err
		}
	}
	return nil
}
