// Package broker is kqd inside of your process: a broker that speaks Apache Kafka's protocol, for whichever client comes.
//
//	b, err := broker.Start(ctx, "/var/lib/app/kq")
//	defer b.Stop()
//	producer, err := kq.NewProducer(ctx, b.Address())
//
// For tests there is kqtest.
package broker

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
	"github.com/kq-stream/kq/bindings/go/internal/ckqbroker"
	"github.com/kq-stream/kq/bindings/go/internal/logline"

	kq "github.com/kq-stream/kq/bindings/go" // its errors
)

// Broker is a running broker.  It takes threads, descriptors and memory of the process, and no more.
type Broker struct {
	lock   sync.Mutex
	native ckqbroker.Broker
	log    *os.File
}

// Option is a setting of a broker.
type Option func(*settings)

type settings struct {
	keys   [][2]string
	logger *slog.Logger
}

// With sets any key of Apache Kafka's server.properties: With("listeners", "PLAINTEXT://127.0.0.1:9092").  Unless set, it listens on
// a free port of this machine.
func With(key, value string) Option {
	return func(s *settings) { s.keys = append(s.keys, [2]string{key, value}) }
}

// WithLogger has the broker's log go to a logger.
func WithLogger(logger *slog.Logger) Option { return func(s *settings) { s.logger = logger } }

// Start starts a broker on a directory and returns once clients may connect.  An empty directory is formatted; one of another cluster, or
// of something else, is refused.
func Start(ctx context.Context, directory string, options ...Option) (*Broker, error) {
	if ctx == nil {
		return nil, &kq.Error{Code: kq.ErrArgument, Verdict: kq.ErrRefused, Message: "the context is nil", Partition: -1}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &settings{keys: [][2]string{{"log.dirs", directory}}}
	for _, option := range options {
		if option != nil {
			option(s)
		}
	}
	var config ckq.Config
	if err := ckq.NewError(ckq.ConfigNew(&config)); err != nil {
		return nil, err
	}
	defer ckq.ConfigFree(config)
	for _, each := range s.keys {
		if strings.IndexByte(each[0]+each[1], 0) >= 0 {
			return nil, &kq.Error{Code: kq.ErrArgument, Verdict: kq.ErrRefused, Message: "a setting has a zero byte in it", Partition: -1}
		}
		if err := ckq.NewError(ckq.ConfigSet(config, each[0], each[1])); err != nil {
			return nil, err
		}
	}
	b := &Broker{}
	descriptor := -1
	if s.logger != nil {
		read, write, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		b.log, descriptor = write, int(write.Fd())
		go logline.Pump(read, s.logger)
	}
	var native ckqbroker.Broker
	if err := ckq.NewError(ckq.Error(ckqbroker.Start(unsafe.Pointer(config), descriptor, &native))); err != nil {
		b.closeLog()
		return nil, err
	}
	b.native = native
	runtime.SetFinalizer(b, func(b *Broker) { go b.Stop() })
	return b, nil
}

// Address is where the first listener listens, "127.0.0.1:41873": what clients are given.  "" once it is stopped.
func (b *Broker) Address() string {
	if all := b.Addresses(); len(all) > 0 {
		return all[0]
	}
	return ""
}

// Addresses are those of all listeners.
func (b *Broker) Addresses() []string {
	b.lock.Lock()
	defer b.lock.Unlock()
	var all []string
	for b.native != nil {
		address := ckqbroker.Address(b.native, int64(len(all)))
		if address == "" {
			break
		}
		all = append(all, address)
	}
	return all
}

// Failure tells what broke inside, after which nothing is served any more; nil: nothing.
func (b *Broker) Failure() error {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.native == nil {
		return nil
	}
	return ckq.NewError(ckq.Error(ckqbroker.Failure(b.native)))
}

// Stop closes the connections and leaves the data synced.  Stopping twice does nothing.
func (b *Broker) Stop() error {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.native == nil {
		return nil
	}
	runtime.SetFinalizer(b, nil)
	err := ckq.NewError(ckq.Error(ckqbroker.Stop(b.native)))
	ckqbroker.Free(b.native)
	b.native = nil
	b.closeLog()
	return err
}

// Close is Stop.
func (b *Broker) Close() error { return b.Stop() }

func (b *Broker) closeLog() {
	if b.log != nil {
		b.log.Close()
		b.log = nil
	}
}
