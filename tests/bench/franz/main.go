// The bench of franz-go, with the same work as `kq bench`: one Produce call for each record, each with its own bytes,
// every promise counted; consuming from the partition directly, every byte read.
//
//	franz_bench produce|consume|latency BROKERS TOPIC RECORDS SIZE WARMUP ACKS LINGER_MS BATCH_BYTES BUFFER_BYTES
//
// produce-pooled and consume-pooled use records again, for whoever can arrange that.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const randomBytes = 1 << 20

type options struct {
	brokers, topic, acks                           string
	records, size, warmup, lingerMs, batch, buffer int
	pooled                                         bool
}

type meter struct {
	wall         time.Time
	user, system float64
}

func now() meter {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
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
		fmt.Fprintln(os.Stderr, "franz_bench:", err)
		os.Exit(1)
	}
}

// A value lives until its promise, so it is a window of the random bytes as it is, without the record's number: nothing
// is copied or allocated.
func valueAt(bytes []byte, number, size int) []byte {
	at := number * 61 % randomBytes
	return bytes[at : at+size : at+size]
}

func produce(o options) {
	settings := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.DefaultProduceTopic(o.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(time.Duration(o.lingerMs) * time.Millisecond), kgo.ProducerBatchMaxBytes(int32(o.batch)),
		kgo.MaxBufferedBytes(o.buffer), kgo.MaxBufferedRecords(1_000_000), kgo.ProducerBatchCompression(kgo.NoCompression()),
	}
	if o.acks == "1" {
		settings = append(settings, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(5))
	}
	client, err := kgo.NewClient(settings...)
	check(err)
	random := make([]byte, randomBytes+o.size+8)
	state := uint64(88172645463325252)
	for i := range random {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		random[i] = byte(state)
	}
	var delivered, failed atomic.Int64
	pool := sync.Pool{New: func() any { return new(kgo.Record) }}
	promise := func(record *kgo.Record, err error) {
		if o.pooled {
			pool.Put(record)
		}
		if err != nil {
			failed.Add(1)
		} else {
			delivered.Add(1)
		}
	}
	send := func(first, count int) {
		for i := first; i < first+count; i++ {
			record := new(kgo.Record)
			if o.pooled {
				record = pool.Get().(*kgo.Record)
				*record = kgo.Record{}
			}
			record.Value = valueAt(random, i, o.size)
			client.Produce(context.Background(), record, promise)
		}
		check(client.Flush(context.Background()))
	}
	send(0, o.warmup)
	delivered.Store(0)
	start := now()
	send(o.warmup, o.records)
	report(start, delivered.Load(), delivered.Load()*int64(o.size), failed.Load(), 0)
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

// records is a pool of them, for franz-go to read into.
type records struct{ pool sync.Pool }

func (r *records) GetRecords(n int) []kgo.Record {
	if had, ok := r.pool.Get().(*[]kgo.Record); ok && cap(*had) >= n {
		return (*had)[:0]
	}
	return make([]kgo.Record, 0, n)
}

func (r *records) PutRecords(these []kgo.Record) { r.pool.Put(&these) }

func consume(o options) {
	settings := []kgo.Opt{kgo.SeedBrokers(strings.Split(o.brokers, ",")...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{o.topic: {0: kgo.NewOffset().AtStart()}})}
	if o.pooled {
		settings = append(settings, kgo.WithPools(new(records)))
	}
	client, err := kgo.NewClient(settings...)
	check(err)
	var seen, bytes, first, firstBytes int64
	var sum uint64
	start := now()
	for seen < int64(o.records) {
		fetches := client.PollFetches(context.Background())
		for _, problem := range fetches.Errors() {
			check(problem.Err)
		}
		fetches.EachPartition(func(partition kgo.FetchTopicPartition) {
			for _, record := range partition.Records {
				if seen == int64(o.records) {
					return
				}
				sum += sumOf(record.Key) + sumOf(record.Value)
				bytes += int64(len(record.Key) + len(record.Value))
				seen++
				if o.pooled {
					record.Recycle()
				}
			}
		})
		if first == 0 && seen > 0 {
			first, firstBytes = seen, bytes
			start = now()
		}
	}
	report(start, seen-first, bytes-firstBytes, 0, sum)
}

// One record at a time, to a consumer that waits for it.
func latency(o options) {
	ctx := context.Background()
	seeds := kgo.SeedBrokers(strings.Split(o.brokers, ",")...)
	producer, err := kgo.NewClient(seeds, kgo.DefaultProduceTopic(o.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	check(err)
	consumer, err := kgo.NewClient(seeds, kgo.FetchMinBytes(1),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{o.topic: {0: kgo.NewOffset().AtEnd()}}))
	check(err)
	random := make([]byte, randomBytes+o.size+8)
	number, seen := 0, -1
	once := func() time.Duration {
		value := valueAt(random, number, o.size)
		binary.LittleEndian.PutUint64(value, uint64(number))
		start := time.Now()
		producer.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) { check(err) })
		for seen < number {
			waiting, cancel := context.WithTimeout(ctx, time.Second)
			fetches := consumer.PollFetches(waiting)
			cancel()
			fetches.EachRecord(func(record *kgo.Record) { seen = int(binary.LittleEndian.Uint64(record.Value)) })
			if fetches.Empty() && seen < 0 { // the first went by before the consumer knew where the end is
				seen = number
			}
		}
		number++
		return time.Since(start)
	}
	for range o.warmup {
		once()
	}
	all := make([]time.Duration, 0, o.records)
	for range o.records {
		all = append(all, once())
	}
	slices.Sort(all)
	quantile := func(part float64) float64 {
		return float64(all[int(part*float64(len(all)-1))].Nanoseconds()) / 1e3
	}
	out, _ := json.Marshal(map[string]any{"records": len(all), "p50_us": quantile(0.5), "p99_us": quantile(0.99), "max_us": quantile(1)})
	fmt.Println(string(out))
}

func main() {
	number := func(i int) int {
		n, err := strconv.Atoi(os.Args[i])
		check(err)
		return n
	}
	o := options{brokers: os.Args[2], topic: os.Args[3], records: number(4), size: number(5), warmup: number(6), acks: os.Args[7],
		lingerMs: number(8), batch: number(9), buffer: number(10)}
	o.pooled = strings.HasSuffix(os.Args[1], "-pooled")
	if strings.HasPrefix(os.Args[1], "produce") {
		produce(o)
	} else if os.Args[1] == "latency" {
		latency(o)
	} else {
		consume(o)
	}
}
