// Jobs works off a topic as a queue: as many workers as you like, more than there are partitions.  A job that fails goes back to the
// queue and comes again, to whoever is free; one that nobody can do is put aside at once.
//
//	jobs SERVERS TOPIC WORKERS
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"os/signal"
	"strconv"
	"sync"

	kq "github.com/kq-stream/kq/bindings/go"
)

var errNobodyCan = errors.New("nobody can do this")

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: jobs SERVERS TOPIC WORKERS")
	}
	workers, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var wait sync.WaitGroup
	for range workers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if err := run(ctx, os.Args[1], os.Args[2], do); err != nil && !errors.Is(err, context.Canceled) {
				log.Print(err)
			}
		}()
	}
	wait.Wait()
}

// What the application does with a job.
func do(job *kq.Record) error {
	if len(job.Value) == 0 {
		return errNobodyCan
	}
	log.Printf("%s, at the %d. attempt", job.Value, job.DeliveryCount)
	return nil
}

func run(ctx context.Context, servers, topic string, do func(*kq.Record) error) error {
	worker, err := kq.NewShareConsumer(ctx, servers, kq.WithGroup(topic), kq.WithTopics(topic), kq.WithExplicitAcknowledgement(),
		kq.With("max.poll.records", "1")) // a job takes long: no others wait behind it
	if err != nil {
		return err
	}
	defer worker.Close()
	for job, err := range worker.Records(ctx) {
		if err != nil {
			return err
		}
		switch reason := do(job); {
		case reason == nil:
			err = worker.Accept(job)
		case errors.Is(reason, errNobodyCan):
			err = worker.Reject(job)
		default:
			err = worker.Release(job)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
