package kq

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// Producer sends records.  The defaults are safe: idempotent, acks=all, retried until delivery.timeout.ms, same key to same partition
// as Java's.  All goroutines of a program should share one.
type Producer struct{ core *producerCore }

// NewProducer makes a producer.  servers is a comma-separated list of HOST:PORT.  It connects in the background: an unreachable cluster
// shows in the first Send.
func NewProducer(ctx context.Context, servers string, options ...Option) (*Producer, error) {
	core, err := newProducerCore(ctx, servers, options)
	if err != nil {
		return nil, err
	}
	p := &Producer{core}
	runtime.SetFinalizer(p, func(p *Producer) { go p.core.discard() })
	return p, nil
}

// Send takes a record and returns; the record is copied.  It waits where a topic is not known yet, or where buffer.memory is full, up to
// max.block.ms or as long as the context goes.  An error says that the record was not taken; a record that was taken and could not be
// delivered shows in the next Flush, or in Close.
func (p *Producer) Send(ctx context.Context, record *Record) error {
	defer runtime.KeepAlive(p)
	return p.core.send(ctx, record, nil)
}

// SendFunc is Send with a function that is called once with the outcome, where Send gave no error.  It is called on a goroutine that all
// deliveries of the producer share, in the order of delivery: it must not wait, and must not call Flush, SendSync or Close.
func (p *Producer) SendFunc(ctx context.Context, record *Record, delivered func(Delivery)) error {
	defer runtime.KeepAlive(p)
	return p.core.send(ctx, record, delivered)
}

// SendSync sends records and waits until each has been acknowledged or has failed.  The error is that of the first that failed; a
// context that ends does not call back what was taken.
func (p *Producer) SendSync(ctx context.Context, records ...*Record) ([]Delivery, error) {
	deliveries := make([]Delivery, len(records))
	done := make(chan struct{})
	left := atomic.Int64{}
	left.Store(int64(len(records)) + 1)
	tell := func() {
		if left.Add(-1) == 0 {
			close(done)
		}
	}
	for i, record := range records {
		if err := p.core.send(ctx, record, func(d Delivery) { deliveries[i] = d; tell() }); err != nil {
			return nil, err
		}
	}
	tell()
	if err := p.core.handOver(ctx); err != nil {
		return nil, err
	}
	select {
	case <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for i := range deliveries {
		if deliveries[i].Err != nil {
			return deliveries, deliveries[i].Err
		}
	}
	return deliveries, nil
}

// Flush sends at once what waits for company and waits until all that was sent before has been acknowledged or has failed.  The error
// is a *FlushError where records sent by Send have failed since the last Flush.
func (p *Producer) Flush(ctx context.Context) error { return p.core.flush(ctx) }

// FlushError tells of records that were taken by Send and could not be delivered.
type FlushError struct {
	Failed int   // how many
	First  error // why the first did
}

func (e *FlushError) Error() string {
	return fmt.Sprintf("kq: %d records were not delivered; the first: %v", e.Failed, e.First)
}

func (e *FlushError) Unwrap() error { return e.First }

// Pending is how many records are neither acknowledged nor failed yet.
func (p *Producer) Pending() int { return p.core.pending() }

// Purge gives up what has not been sent yet: those records fail with ErrClosed.  What is on its way to a broker goes on.
func (p *Producer) Purge() error { return p.core.purge() }

// Partitions tells how many partitions a topic has.
func (p *Producer) Partitions(ctx context.Context, topic string) (int, error) {
	if err := checkContext(ctx); err != nil {
		return 0, err
	}
	return p.core.partitionCount(ctx, topic)
}

// Close flushes and closes.  Records that cannot be delivered fail after delivery.timeout.ms at the latest.  Closing twice does nothing.
func (p *Producer) Close() error { return p.CloseContext(context.Background()) }

// CloseContext is Close that gives up, with what is not delivered yet, when the context ends.
func (p *Producer) CloseContext(ctx context.Context) error {
	runtime.SetFinalizer(p, nil)
	return p.core.close(ctx)
}

// producerCore is what the producer's goroutines hold on to, so that a forgotten Producer can be collected.
//
// A record waits in `filling` until the arena is full, or until the goroutine `run` finds that it has waited for long enough; then
// handOver gives the arena to C.  Lock order: handing, handle, mutex.
type producerCore struct {
	handle
	native        ckq.Producer
	manual        bool // the records say which partition
	transactional bool
	blockMax      time.Duration // max.block.ms
	apiTimeout    time.Duration
	gather        time.Duration // how long a record waits for company in the arena
	log           *logPipe
	rouse         chan struct{} // the arena has got its first record
	stop          chan struct{}
	closing       sync.Once

	handing turn // holds the spare arena

	mutex     sync.Mutex
	filling   *arena
	spare     *arena
	refusing  error // why no more records are taken
	topic     string
	topicName unsafe.Pointer
	topics    map[string]unsafe.Pointer
	waiting   []func(Delivery) // by tag - 1
	freeTags  []uint64

	tagged atomic.Int64 // records with a tag that are not delivered
	failed failures
	tx     turn

	watch      *watch
	delivering sync.Mutex // polls deliveries, calls functions
	polled     ckq.Polled
	told       []func(Delivery) // of the rows at hand
}

func newProducerCore(ctx context.Context, servers string, options []Option) (*producerCore, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	s, err := gather(servers, options)
	if err != nil {
		return nil, err
	}
	log, err := s.openLog()
	if err != nil {
		return nil, err
	}
	config, err := s.config()
	if err != nil {
		log.close()
		return nil, err
	}
	defer ckq.ConfigFree(config)
	c := &producerCore{
		handle: handle{what: "producer"}, manual: s.manualPartition, log: log,
		transactional: ckq.ConfigGet(config, "transactional.id") != "",
		blockMax:      configTime(config, "max.block.ms", time.Minute),
		apiTimeout:    configTime(config, "default.api.timeout.ms", time.Minute),
		gather:        min(configTime(config, "linger.ms", 5*time.Millisecond)/2, time.Millisecond),
		rouse:         make(chan struct{}, 1), stop: make(chan struct{}),
		handing: newTurn(), tx: newTurn(), topics: map[string]unsafe.Pointer{},
	}
	// C waits in slices, between which handOver looks at the context.
	if c.blockMax > slice {
		if err := taken(ckq.ConfigSet(config, "max.block.ms", milliseconds(slice))); err != nil {
			log.close()
			return nil, err
		}
	}
	var native ckq.Producer // C may be pointed at this, but not at a struct of Go's
	if err := taken(ckq.ProducerNew(config, &native)); err != nil {
		log.close()
		return nil, err
	}
	c.native = native
	if c.watch, err = newWatch(ckq.ProducerFd(c.native)); err != nil {
		ckq.ProducerFree(c.native)
		log.close()
		return nil, err
	}
	c.filling, c.spare = newArena(arenaBytes), newArena(arenaBytes)
	c.polled = ckq.NewPolled()
	go c.run()
	go c.deliver()
	return c, nil
}

func (c *producerCore) send(ctx context.Context, record *Record, delivered func(Delivery)) error {
	if record == nil {
		return wrongArgument("the record is nil")
	}
	if err := checkContext(ctx); err != nil {
		return err
	}
	if c.transactional {
		return &Error{Code: ErrInvalidTxnState, Verdict: ErrRefused, Partition: -1, Topic: record.Topic,
			Message: "a producer with a transactional.id sends in transactions alone: use Transact, and the Send of its Tx"}
	}
	return c.put(ctx, record, delivered)
}

// put gathers a record.  Where the arena is full, whoever comes hands it over first.
func (c *producerCore) put(ctx context.Context, record *Record, delivered func(Delivery)) error {
	partition := int32(-1)
	if c.manual {
		partition = record.Partition
	}
	need := arenaNeed(record)
	for {
		c.mutex.Lock()
		if c.refusing != nil {
			err := c.refusing
			c.mutex.Unlock()
			return err
		}
		if record.Topic != c.topic {
			c.recall(record.Topic)
		}
		name := c.topicName
		if name != nil && c.filling.fits(need) {
			c.filling.add(name, partition, c.tag(delivered), record)
			first := c.filling.count == 1
			c.mutex.Unlock()
			if first {
				c.rouseLater()
			}
			return nil
		}
		c.mutex.Unlock()
		var err error
		switch {
		case name == nil:
			err = c.meet(ctx, record.Topic)
		case need > arenaBytes:
			return c.sendLarge(ctx, name, partition, record, delivered)
		default:
			err = c.handOver(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// recall makes a topic the present one, under the mutex; its name is nil where it was not met yet.
func (c *producerCore) recall(topic string) {
	c.topicName = c.topics[topic]
	if c.topic = ""; c.topicName != nil {
		c.topic = topic
	}
}

func (c *producerCore) rouseLater() {
	select {
	case c.rouse <- struct{}{}:
	default:
	}
}

// tag finds a place for a function until the delivery.  Under the mutex.
func (c *producerCore) tag(delivered func(Delivery)) uint64 {
	if delivered == nil {
		return 0
	}
	c.tagged.Add(1)
	if last := len(c.freeTags) - 1; last >= 0 {
		tag := c.freeTags[last]
		c.freeTags = c.freeTags[:last]
		c.waiting[tag-1] = delivered
		return tag
	}
	c.waiting = append(c.waiting, delivered)
	return uint64(len(c.waiting))
}

// meet waits until a topic's partitions are known, so that a topic that is not there holds up nobody but who sends to it, and keeps
// its name for C.
func (c *producerCore) meet(ctx context.Context, topic string) error {
	if topic == "" {
		return wrongArgument("the record has no topic")
	}
	if _, err := c.partitionCount(ctx, topic); err != nil {
		return err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.topics[topic] == nil && c.refusing == nil {
		own := string([]byte(topic))
		c.topics[own] = ckq.CString(own)
	}
	return nil
}

func (c *producerCore) partitionCount(ctx context.Context, topic string) (int, error) {
	if err := checkText("topic", topic); err != nil {
		return 0, err
	}
	var count int32
	err := inSlices(ctx, c.blockMax, func(timeoutMs int32) error {
		if err := c.enter(); err != nil {
			return err
		}
		defer c.leave()
		return taken(ckq.ProducerPartitionCount(c.native, topic, min(timeoutMs, int32(c.blockMax.Milliseconds())), &count))
	})
	return int(count), err
}

// sendLarge hands over a record that no arena has room for, behind those that came before it.
func (c *producerCore) sendLarge(ctx context.Context, name unsafe.Pointer, partition int32, record *Record, delivered func(Delivery)) error {
	if err := c.handing.take(ctx); err != nil {
		return err
	}
	defer c.handing.give()
	if err := c.handOverAll(ctx); err != nil {
		return err
	}
	large := newArena(arenaNeed(record))
	defer large.free()
	c.mutex.Lock()
	tag := c.tag(delivered)
	c.mutex.Unlock()
	large.add(name, partition, tag, record)
	err := c.give(ctx, large, time.Now().Add(c.blockMax))
	if err != nil {
		c.takeTag(tag)
	}
	return err
}

// handOver gives what has gathered to C.  An error is the context's, or says that the producer is closed.
func (c *producerCore) handOver(ctx context.Context) error {
	if err := c.handing.take(ctx); err != nil {
		return err
	}
	defer c.handing.give()
	return c.handOverAll(ctx)
}

// With `handing`.  What is left when the context ends stays in front of what gathers meanwhile.
func (c *producerCore) handOverAll(ctx context.Context) error {
	if c.spare == nil {
		return closedError("producer")
	}
	if err := c.handOverSpare(ctx); err != nil {
		return err
	}
	c.mutex.Lock()
	c.filling, c.spare = c.spare, c.filling
	c.mutex.Unlock()
	return c.handOverSpare(ctx)
}

func (c *producerCore) handOverSpare(ctx context.Context) error {
	from := c.spare
	for end := time.Now().Add(c.blockMax); !from.empty(); {
		err := c.give(ctx, from, end)
		if err == nil {
			break
		}
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return err
		}
		c.refused(from, err)
	}
	from.clear()
	return nil
}

// refused is for the next record of an arena, which C does not take.
func (c *producerCore) refused(from *arena, err error) {
	record := &from.records[from.sent]
	from.sent++
	c.outcome(c.takeTag(record.Tag), Delivery{Topic: outTopic(record), Partition: record.Partition, Offset: -1, Err: err})
}

func outTopic(record *ckq.OutRecord) string { return ckq.StringAt(record.Topic) }

// give hands records over until one cannot be sent, and waits where there is no room, until then.
func (c *producerCore) give(ctx context.Context, from *arena, end time.Time) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	for {
		sent, failure := ckq.SendMany(c.native, unsafe.Pointer(&from.records[from.sent]), from.count-from.sent)
		from.sent += sent
		if failure == nil {
			return nil
		}
		retry := Verdict(ckq.ErrorVerdict(failure)) == ErrRetry
		err := taken(failure)
		if retry && ctx.Err() != nil {
			return ctx.Err()
		}
		if !retry || time.Now().After(end) {
			return err
		}
	}
}

// run hands over what has gathered for as long as a record may wait.
func (c *producerCore) run() {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	for {
		select {
		case <-c.rouse:
		case <-c.stop:
			return
		}
		if c.gather > 0 {
			timer.Reset(c.gather)
			select {
			case <-timer.C:
			case <-c.stop:
				return
			}
		}
		c.handOver(context.Background())
	}
}

// deliver takes deliveries until the producer is closed.
func (c *producerCore) deliver() {
	for {
		err := c.watch.until(context.Background(), c.takeDeliveries)
		if err != nil {
			return
		}
	}
}

// takeDeliveries polls until there is nothing.  True ends the goroutine's wait: the producer is closed, or of no use.
func (c *producerCore) takeDeliveries() bool {
	c.delivering.Lock()
	defer c.delivering.Unlock()
	for {
		if c.enter() != nil {
			return true
		}
		some := c.polled.PollDeliveries(c.native, c.tagged.Load() > 0)
		c.leave()
		if !some {
			return false
		}
		if failure := taken(c.polled.TakeError()); failure != nil {
			c.refuse(failure)
			return false
		}
		c.tell(c.polled.Rows())
		c.polled.Clear()
	}
}

// tell tells whoever wants to know what became of the records.
func (c *producerCore) tell(rows []ckq.Row) {
	c.mutex.Lock()
	for i := range rows {
		c.told = append(c.told, c.takeTagLocked(rows[i].Tag))
	}
	c.mutex.Unlock()
	var name unsafe.Pointer
	var topic string
	for i := range rows {
		row := &rows[i]
		if row.Topic != name {
			name, topic = row.Topic, ckq.String(row.Topic)
		}
		d := Delivery{Topic: topic, Partition: row.Partition, Offset: row.Offset, Timestamp: time.UnixMilli(row.TimestampMs)}
		if row.Error != nil {
			d.Err = borrowed(row.Error)
		}
		c.outcome(c.told[i], d)
	}
	clear(c.told)
	c.told = c.told[:0]
}

func (c *producerCore) outcome(delivered func(Delivery), d Delivery) {
	if d.Err != nil {
		c.failed.add(d.Err, delivered == nil)
	}
	if delivered != nil {
		delivered(d)
	}
}

func (c *producerCore) takeTag(tag uint64) func(Delivery) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.takeTagLocked(tag)
}

func (c *producerCore) takeTagLocked(tag uint64) func(Delivery) {
	if tag == 0 {
		return nil
	}
	c.tagged.Add(-1)
	delivered := c.waiting[tag-1]
	c.waiting[tag-1] = nil
	c.freeTags = append(c.freeTags, tag)
	return delivered
}

func (c *producerCore) flush(ctx context.Context) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	if err := c.handOver(ctx); err != nil {
		return err
	}
	err := inBackground(ctx, func(timeoutMs int32) error {
		if err := c.enter(); err != nil {
			return err
		}
		defer c.leave()
		return taken(ckq.ProducerFlush(c.native, timeoutMs))
	})
	if err != nil {
		return err
	}
	c.takeDeliveries()
	return c.failed.take()
}

func (c *producerCore) pending() int {
	if c.enter() != nil {
		return 0
	}
	defer c.leave()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return int(ckq.ProducerPending(c.native)) + c.filling.count
}

func (c *producerCore) purge() error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	return taken(ckq.ProducerPurge(c.native))
}

func (c *producerCore) close(ctx context.Context) (err error) {
	c.closing.Do(func() { err = c.shutDown(ctx) })
	return err
}

func (c *producerCore) shutDown(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	err := c.handOver(ctx)
	c.refuse(closedError("producer"))
	if err == nil {
		err = c.handOver(ctx) // what came in between
	}
	timeout := int32(-1)
	if deadline, ok := ctx.Deadline(); ok {
		timeout = int32(min(max(time.Until(deadline).Milliseconds(), 0), 1<<30))
	}
	closed := make(chan error, 1)
	go func() { closed <- taken(ckq.ProducerClose(c.native, timeout)) }()
	select {
	case failure := <-closed:
		err = errors.Join(err, failure)
	case <-ctx.Done():
		taken(ckq.ProducerPurge(c.native)) // then there is not much left to wait for
		taken(ckq.ProducerClose(c.native, 0))
		<-closed
		err = errors.Join(err, ctx.Err())
	}
	c.takeDeliveries()
	c.release()
	return errors.Join(err, c.failed.take())
}

// discard is for a producer that was forgotten.
func (c *producerCore) discard() {
	c.closing.Do(func() {
		c.refuse(closedError("producer"))
		c.release()
	})
}

func (c *producerCore) refuse(why error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.refusing == nil {
		c.refusing = why
	}
}

// release ends the goroutines and frees everything.  Nobody puts records any more.
func (c *producerCore) release() {
	close(c.stop)
	c.watch.close()
	c.end(func() { ckq.ProducerFree(c.native) })
	c.handing.take(context.Background())
	defer c.handing.give()
	for _, left := range []*arena{c.spare, c.filling} {
		for !left.empty() {
			c.refused(left, closedError("producer"))
		}
	}
	c.delivering.Lock()
	defer c.delivering.Unlock()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.filling.free()
	c.spare.free()
	c.filling, c.spare = nil, nil
	for _, name := range c.topics {
		ckq.Free(name)
	}
	c.polled.Free()
	c.log.close()
}

// failures are those of records that nobody waits for.
type failures struct {
	lock  sync.Mutex
	count int
	first error
	inTx  error // the first since the transaction began, waited for or not
}

func (f *failures) add(err error, unheard bool) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.inTx == nil {
		f.inTx = err
	}
	if !unheard {
		return
	}
	if f.count++; f.count == 1 {
		f.first = err
	}
}

// since gives the first failure since the last call.
func (f *failures) since() error {
	f.lock.Lock()
	defer f.lock.Unlock()
	err := f.inTx
	f.inTx = nil
	return err
}

func (f *failures) take() error {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.count == 0 {
		return nil
	}
	err := &FlushError{f.count, f.first}
	f.count, f.first = 0, nil
	return err
}
