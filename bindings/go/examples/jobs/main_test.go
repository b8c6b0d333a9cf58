package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	kq "github.com/kq-stream/kq/bindings/go"
	"github.com/kq-stream/kq/bindings/go/kqtest"
)

func TestEveryJobIsDoneThoughTheFirstAttemptFails(t *testing.T) {
	servers := kqtest.NewBroker(t).Address()
	kqtest.NewTopic(t, servers, "jobs", 1)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	admin, err := kq.NewAdmin(ctx, servers)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.SetGroupConfig(ctx, "jobs", map[string]string{"share.auto.offset.reset": "earliest"}); err != nil {
		t.Fatal(err)
	}
	producer, err := kq.NewProducer(ctx, servers)
	if err != nil {
		t.Fatal(err)
	}
	const jobs = 20
	for i := range jobs {
		if err := producer.Send(ctx, &kq.Record{Topic: "jobs", Value: fmt.Append(nil, "job ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := producer.Send(ctx, &kq.Record{Topic: "jobs"}); err != nil {
		t.Fatal(err)
	}
	if err := producer.Close(); err != nil {
		t.Fatal(err)
	}

	var lock sync.Mutex
	attempts := map[string][]int16{}
	done := 0
	work := func(job *kq.Record) error {
		lock.Lock()
		defer lock.Unlock()
		attempts[string(job.Value)] = append(attempts[string(job.Value)], job.DeliveryCount)
		switch {
		case len(job.Value) == 0:
			done++
			return errNobodyCan
		case job.DeliveryCount == 1:
			return errors.New("not today")
		}
		done++
		return nil
	}
	var wait sync.WaitGroup
	for range 3 { // of one partition
		wait.Add(1)
		go func() {
			defer wait.Done()
			if err := run(ctx, servers, "jobs", func(job *kq.Record) error {
				reason := work(job)
				lock.Lock()
				defer lock.Unlock()
				if done == jobs+1 {
					stop()
				}
				return reason
			}); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
				stop()
			}
		}()
	}
	wait.Wait()
	for job, counts := range attempts {
		want := []int16{1, 2}
		if job == "" {
			want = want[:1]
		}
		if !slices.Equal(counts, want) {
			t.Errorf("%q: attempts %v instead of %v", job, counts, want)
		}
	}
	if len(attempts) != jobs+1 {
		t.Errorf("%d jobs", len(attempts))
	}
}
