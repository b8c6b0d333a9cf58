// franz-go's part in the peer tests:
//
//	franz transactions BROKER TOPIC COUNT    COUNT transactions of a record in each of partitions 0 and 1; every third is aborted
//	franz committed BROKER TOPIC COUNT       prints that many records of both partitions, as a reader of committed records gets them
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func transactions(ctx context.Context, broker, topic string, count int) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(broker),
		kgo.TransactionalID("franz"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	check(err)
	defer client.Close()
	for number := 0; number < count; number++ {
		check(client.BeginTransaction())
		for partition := int32(0); partition < 2; partition++ {
			record := &kgo.Record{Topic: topic, Partition: partition, Value: []byte(strconv.Itoa(number))}
			check(client.ProduceSync(ctx, record).FirstErr())
		}
		check(client.EndTransaction(ctx, kgo.TransactionEndTry(number%3 != 0)))
	}
}

func committed(ctx context.Context, broker, topic string, count int) {
	start := map[int32]kgo.Offset{0: kgo.NewOffset().AtStart(), 1: kgo.NewOffset().AtStart()}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(broker),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: start}),
	)
	check(err)
	defer client.Close()
	for count > 0 {
		fetches := client.PollFetches(ctx)
		check(fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			fmt.Println(record.Partition, string(record.Value))
			count--
		})
	}
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "franz transactions|committed BROKER TOPIC COUNT")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	count, err := strconv.Atoi(os.Args[4])
	check(err)
	switch os.Args[1] {
	case "transactions":
		transactions(ctx, os.Args[2], os.Args[3], count)
	case "committed":
		committed(ctx, os.Args[2], os.Args[3], count)
	default:
		check(fmt.Errorf("no such part: %s", os.Args[1]))
	}
}
