package kq

import (
	"context"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// handle guards a C handle against use after, and during, its end: calls in C hold it shared, and it is freed alone.
type handle struct {
	what   string
	lock   sync.RWMutex
	closed bool
}

// enter must be paired with leave where it gave nil.
func (h *handle) enter() error {
	if h.what == "" {
		return errNotMade
	}
	h.lock.RLock()
	if h.closed {
		h.lock.RUnlock()
		return closedError(h.what)
	}
	return nil
}

// Of a zero value.
var errNotMade error = &Error{Code: ErrArgument, Verdict: ErrRefused, Partition: -1,
	Message: "this is a zero value: make it with NewProducer, NewConsumer, NewShareConsumer or NewAdmin"}

func (h *handle) leave() { h.lock.RUnlock() }

// end waits for the calls that are under way and runs free, once.
func (h *handle) end(free func()) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if !h.closed {
		h.closed = true
		free()
	}
}

// turn is a mutex that a context can give up waiting for.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

// watch waits for one of kq's descriptors in Go's own poller, so that whoever waits holds no thread.  One goroutine at a time.
type watch struct {
	file *os.File
	raw  syscall.RawConn
	late bool // a read deadline is set
}

// The descriptor stays kq's: a duplicate is watched.
func newWatch(descriptor int) (*watch, error) {
	if descriptor < 0 {
		return nil, &Error{Code: ErrSystem, Verdict: ErrFatal, Message: "there is no descriptor to wait for: the process has too many open", Partition: -1}
	}
	duplicate, _, failed := syscall.Syscall(syscall.SYS_FCNTL, uintptr(descriptor), syscall.F_DUPFD_CLOEXEC, 0)
	if failed != 0 {
		return nil, &Error{Code: ErrSystem, Verdict: ErrFatal, Message: "duplicating a descriptor: " + failed.Error(), Partition: -1}
	}
	file := os.NewFile(duplicate, "kq") // it is non-blocking, so Go polls it
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &watch{file: file, raw: raw}, nil
}

// until calls try, again each time that the descriptor has something, until it gives true or the context is done.  Polling looks at the
// descriptor's edges, and kq's falls only when a poll finds nothing, so try has to have polled until then when it gives false.
func (w *watch) until(ctx context.Context, try func() bool) error {
	if w.late {
		w.file.SetReadDeadline(time.Time{})
		w.late = false
	}
	if ctx.Done() != nil {
		fired := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			w.file.SetReadDeadline(time.Unix(1, 0))
			close(fired)
		})
		defer func() {
			if !stop() {
				<-fired
				w.late = true
			}
		}()
	}
	err := w.raw.Read(func(uintptr) bool { return try() })
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return os.ErrClosed // the one other reason that Go's poller knows
}

// close ends a wait, which fails with os.ErrClosed.
func (w *watch) close() { w.file.Close() }

// How long a call in C waits before it looks at its context again, where C cannot be woken.
const slice = 100 * time.Millisecond

// inSlices repeats a call that fails with ErrTimedOut, ErrRetry when its time is over and then goes on in the background: until the
// context is done, or for so long.
func inSlices(ctx context.Context, longest time.Duration, call func(timeoutMs int32) error) error {
	for end := time.Now().Add(longest); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := call(int32(slice.Milliseconds()))
		if failure, ok := err.(*Error); !ok || failure.Code != ErrTimedOut || failure.Verdict != ErrRetry || time.Now().After(end) {
			return err
		}
	}
}

// inBackground runs a call that waits in C by itself, with the time that the context leaves, and leaves it behind where the context ends
// first.
func inBackground(ctx context.Context, call func(timeoutMs int32) error) error {
	timeout := timeLeft(ctx)
	if ctx.Done() == nil {
		return call(timeout)
	}
	done := make(chan error, 1)
	go func() { done <- call(timeout) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// call runs a call in C that does not wait.
func (h *handle) call(f func() ckq.Error) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.leave()
	defer runtime.KeepAlive(h)
	return taken(f())
}

// result runs a call in C that waits.
func result[T any](ctx context.Context, h *handle, call func(timeoutMs int32) (T, ckq.Error)) (T, error) {
	values := make(chan T, 1)
	err := inBackground(ctx, func(timeoutMs int32) error {
		if err := h.enter(); err != nil {
			return err
		}
		defer h.leave()
		value, failure := call(timeoutMs)
		values <- value
		return taken(failure)
	})
	if err == nil {
		return <-values, nil
	}
	var none T
	return none, err
}

// timeLeft is what a context leaves for C to wait: -1 for as long as it takes.
func timeLeft(ctx context.Context) int32 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return -1
	}
	return int32(min(max(time.Until(deadline).Milliseconds(), 1), 1<<30))
}
