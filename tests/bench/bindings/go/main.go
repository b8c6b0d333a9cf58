// The bench of kq's Go binding, with the same work as tests/bench/franz: one Send for each record, each with its own bytes, every
// delivery counted; consuming from the partition directly, every byte read.
//
//	go_bench WORK BROKERS TOPIC RECORDS SIZE WARMUP ACKS LINGER_MS BATCH_BYTES BUFFER_BYTES
//
// WORK is send (deliveries counted by Flush), sendfunc (a function called for each), records, batches, or either with -zerocopy.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	kq "github.com/kq-stream/kq/bindings/go"
)

const randomBytes = 1 << 20

type options struct {
	work, brokers, topic, acks                     string
	records, size, warmup, lingerMs, batch, buffer int
}

type meter struct {
	wall         time.Time
	user, system float64
}

func now() meter {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return meter{time.Now(), seconds(usage.Utime), seconds(usage.Stime)}
}

func report(start meter, records, bytes, failed int64, sum uint64) {
	end := now()
	out, _ := json.Marshal(map[string]any{
		"records": records, "bytes": bytes, "seconds": end.wall.Sub(start.wall).Seconds(), "failed": failed, "sum": fmt.Sprintf("%016x", sum),
		"cpu_user_seconds": end.user - start.user, "cpu_system_seconds": end.system - start.system,
	})
	fmt.Println(string(out))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "go_bench:", err)
		os.Exit(1)
	}
}

func valueAt(bytes []byte, number, size int) []byte {
	at := number * 61 % randomBytes
	return bytes[at : at+size : at+size]
}

func produce(o options) {
	ctx := context.Background()
	idempotence := "true"
	if o.acks == "1" {
		idempotence = "false"
	}
	producer, err := kq.NewProducer(ctx, o.brokers, kq.With("acks", o.acks), kq.With("enable.idempotence", idempotence),
		kq.WithLinger(time.Duration(o.lingerMs)*time.Millisecond), kq.WithBatchSize(o.batch), kq.WithBufferMemory(o.buffer))
	check(err)
	random := make([]byte, randomBytes+o.size+8)
	state := uint64(88172645463325252)
	for i := range random {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		random[i] = byte(state)
	}
	var delivered, failed int64 // by the goroutine of deliveries, and read after a flush
	count := func(d kq.Delivery) {
		if d.Err != nil {
			failed++
		} else {
			delivered++
		}
	}
	send := func(first, many int) {
		for i := first; i < first+many; i++ {
			record := kq.Record{Topic: o.topic, Value: valueAt(random, i, o.size)}
			if o.work == "sendfunc" {
				check(producer.SendFunc(ctx, &record, count))
			} else {
				check(producer.Send(ctx, &record))
			}
		}
		check(producer.Flush(ctx))
	}
	send(0, o.warmup)
	delivered = 0
	start := now()
	send(o.warmup, o.records)
	if o.work == "send" {
		delivered = int64(o.records) // or Flush would have said so
	}
	report(start, delivered, delivered*int64(o.size), failed, 0)
	check(producer.Close())
}

func sumOf(data []byte) uint64 {
	sum := uint64(len(data))
	for len(data) >= 8 {
		sum += binary.LittleEndian.Uint64(data)
		data = data[8:]
	}
	for _, b := range data {
		sum += uint64(b)
	}
	return sum
}

func consume(o options) {
	ctx := context.Background()
	settings := []kq.Option{kq.WithPartitions(kq.TopicPartition{Topic: o.topic, Offset: kq.OffsetEarliest})}
	if strings.HasSuffix(o.work, "-zerocopy") {
		settings = append(settings, kq.WithZeroCopy())
	}
	consumer, err := kq.NewConsumer(ctx, o.brokers, settings...)
	check(err)
	var seen, bytes, first, firstBytes int64
	var sum uint64
	start := now()
	look := func(record *kq.Record) {
		sum += sumOf(record.Key) + sumOf(record.Value)
		bytes += int64(len(record.Key) + len(record.Value))
		seen++
	}
	// What comes first has been fetched before anything can be measured, as in the other clients' benches.
	batch, err := consumer.Poll(ctx)
	check(err)
	for record := range batch.All() {
		look(record)
	}
	batch.Release()
	first, firstBytes, start = seen, bytes, now()
	if strings.HasPrefix(o.work, "records") {
		for record, err := range consumer.Records(ctx) {
			check(err)
			if look(record); seen == int64(o.records) {
				break
			}
		}
	} else {
		for batch, err := range consumer.Batches(ctx) {
			check(err)
			for i := range batch.Records {
				if look(&batch.Records[i]); seen == int64(o.records) {
					break
				}
			}
			if seen == int64(o.records) {
				break
			}
		}
	}
	report(start, seen-first, bytes-firstBytes, 0, sum)
	check(consumer.Close())
}

func main() {
	number := func(i int) int {
		n, err := strconv.Atoi(os.Args[i])
		check(err)
		return n
	}
	o := options{work: os.Args[1], brokers: os.Args[2], topic: os.Args[3], records: number(4), size: number(5), warmup: number(6), acks: os.Args[7],
		lingerMs: number(8), batch: number(9), buffer: number(10)}
	if path := os.Getenv("KQ_BENCH_PROFILE"); path != "" {
		file, err := os.Create(path)
		check(err)
		check(pprof.StartCPUProfile(file))
		defer pprof.StopCPUProfile()
	}
	if strings.HasPrefix(o.work, "send") {
		produce(o)
	} else {
		consume(o)
	}
}
