package kq

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

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
	closed := make(chan error, 1)
	go func() { closed <- taken(ckq.ProducerClose(c.native, timeLeft(ctx))) }()
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
