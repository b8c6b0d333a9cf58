package kq_test

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"testing"
	"time"

	kq "github.com/kq-stream/kq/bindings/go"
)

// Every method of every handle (never made, closed, and open), with nothing in its arguments, or nonsense: an error, and no crash.
func TestNoCallCrashesWhateverItIsGiven(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	produce(t, at, name, "v")
	producer := func() *kq.Producer { return newProducer(t, at, kq.With("max.block.ms", "100")) }
	consumer := func() *kq.Consumer { return newConsumer(t, at, kq.WithTopics(name), kq.WithGroup(name)) }
	share := func() *kq.ShareConsumer {
		return newShareConsumer(t, at, kq.WithTopics(name), kq.WithGroup(name+"-share"))
	}
	admin := func() *kq.Admin {
		a, err := kq.NewAdmin(within(t), at)
		must(t, err)
		t.Cleanup(func() { a.Close() })
		return a
	}
	closed := []interface{ Close() error }{producer(), consumer(), share(), admin()}
	for _, each := range closed {
		must(t, each.Close())
	}
	for _, each := range []struct {
		how     string
		handle  any
		refuses bool // all that returns an error has to return one
	}{
		{"zero", &kq.Producer{}, true}, {"zero", &kq.Consumer{}, true}, {"zero", &kq.ShareConsumer{}, true}, {"zero", &kq.Admin{}, true},
		{"closed", closed[0], true}, {"closed", closed[1], true}, {"closed", closed[2], true}, {"closed", closed[3], true},
		{"open", producer(), false}, {"open", consumer(), false}, {"open", share(), false}, {"open", admin(), false},
	} {
		of := reflect.ValueOf(each.handle)
		for i := range of.NumMethod() {
			method := of.Type().Method(i)
			if method.Name == "Close" || method.Name == "CloseContext" {
				continue
			}
			for _, nonsense := range []bool{false, true} {
				words := fmt.Sprintf("%s on a handle that is %s (nonsense: %v)", method.Name, each.how, nonsense)
				err, fails := callWith(t, words, of.Method(i), nonsense)
				if fails && err == nil && each.refuses && !empty[method.Name] {
					t.Errorf("%s gives no error", words)
				}
			}
		}
	}
}

// With nothing to do, they do it.
var empty = map[string]bool{"CommitOffsets": true, "CommitRecords": true, "SendSync": true, "Offsets": true, "AlterGroupOffsets": true, "SetTopicConfig": true,
	"SetGroupConfig": true}

// callWith calls a method and tells the error, where it is one that fails.
func callWith(t *testing.T, words string, method reflect.Value, nonsense bool) (failure error, fails bool) {
	defer func() {
		if reason := recover(); reason != nil {
			t.Errorf("%s: %v", words, reason)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	var arguments []reflect.Value
	for i := range method.Type().NumIn() {
		kind := method.Type().In(i)
		if method.Type().IsVariadic() && i == method.Type().NumIn()-1 {
			if !nonsense {
				break
			}
			kind = kind.Elem()
		}
		argument := reflect.New(kind).Elem()
		if kind == reflect.TypeFor[context.Context]() && nonsense {
			argument.Set(reflect.ValueOf(ctx))
		}
		switch kind.Kind() {
		case reflect.String:
			if nonsense {
				argument.SetString("no such\xff thing \U0001F375")
			}
		case reflect.Int, reflect.Int32, reflect.Int64:
			if nonsense {
				argument.SetInt(-77)
			}
		}
		arguments = append(arguments, argument)
	}
	for _, result := range method.Call(arguments) {
		switch value := result.Interface().(type) {
		case error:
			failure = value
		case iter.Seq2[*kq.Record, error]:
			for _, failure = range value {
				break
			}
			fails = true
		case iter.Seq2[*kq.Batch, error]:
			for _, failure = range value {
				break
			}
			fails = true
		}
		if result.Type() == reflect.TypeFor[error]() {
			fails = true
		}
	}
	return failure, fails
}

func TestAHandlerOfRebalancesMayClose(t *testing.T) {
	at := servers(t)
	name := topic(t, at, 1)
	c, err := kq.NewConsumer(within(t), at, kq.WithTopics(name), kq.WithGroup(name), kq.WithRebalance(func(ctx context.Context, c *kq.Consumer, _ kq.Rebalance) error {
		return c.Close()
	}))
	must(t, err)
	for _, err := range c.Records(within(t)) {
		mustBe(t, err, kq.ErrClosed)
	}
	must(t, c.Close())
}
