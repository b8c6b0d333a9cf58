package kq

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// Option is a setting of a producer, consumer or admin.  Those that one of them has no use for do nothing there, so a list of options
// can be shared by all.
type Option func(*settings)

type setting struct{ key, value string }

type settings struct {
	keys            []setting // key "": a file
	topics          []string
	pattern         string
	partitions      []TopicPartition
	onRebalance     func(context.Context, *Consumer, Rebalance) error
	manualPartition bool
	zeroCopy        bool
	logger          *slog.Logger
}

func (s *settings) set(key, value string) { s.keys = append(s.keys, setting{key, value}) }

// With sets any of Kafka's configuration keys, as Kafka writes them: With("linger.ms", "5"), With("security.protocol", "SASL_SSL").
// An unknown key makes NewProducer and its kin fail, with the nearest known one in the message.
func With(key, value string) Option { return func(s *settings) { s.set(key, value) } }

// WithFile reads a Java properties file.
func WithFile(path string) Option {
	return func(s *settings) { s.keys = append(s.keys, setting{"", path}) }
}

// WithLogger has kq's own log lines go to a logger.
func WithLogger(logger *slog.Logger) Option { return func(s *settings) { s.logger = logger } }

// WithClientID sets the name under which brokers log and measure this client.
func WithClientID(id string) Option { return With("client.id", id) }

// WithLinger sets how long a batch waits for company before it is sent.
func WithLinger(d time.Duration) Option { return With("linger.ms", milliseconds(d)) }

// WithBatchSize sets how large a batch of one partition grows, in bytes.
func WithBatchSize(bytes int) Option { return With("batch.size", strconv.Itoa(bytes)) }

// WithBufferMemory sets how many bytes of records may wait to be acknowledged before Send waits.
func WithBufferMemory(bytes int) Option { return With("buffer.memory", strconv.Itoa(bytes)) }

// WithCompression sets how batches are compressed: none, gzip, snappy, lz4 or zstd.
func WithCompression(codec string) Option { return With("compression.type", codec) }

// WithTransactionalID makes a producer transactional, and the only one with this id.
func WithTransactionalID(id string) Option { return With("transactional.id", id) }

// WithManualPartitions has a producer send each record to its Partition (-1: by the key).
func WithManualPartitions() Option { return func(s *settings) { s.manualPartition = true } }

// WithGroup makes a consumer a member of a group.
func WithGroup(id string) Option { return With("group.id", id) }

// WithTopics are what a consumer reads: shared with the other members of its group, or, without a group, all of their partitions.
func WithTopics(topics ...string) Option {
	return func(s *settings) { s.topics = append(s.topics, topics...) }
}

// WithPattern subscribes to all topics whose whole name matches a regular expression.  It needs a group.
func WithPattern(pattern string) Option { return func(s *settings) { s.pattern = pattern } }

// WithPartitions are what a consumer reads, each from its Offset.
func WithPartitions(partitions ...TopicPartition) Option {
	return func(s *settings) { s.partitions = append(s.partitions, partitions...) }
}

// WithExplicitAcknowledgement has a ShareConsumer's records done with by Accept, Reject and Release alone.
func WithExplicitAcknowledgement() Option { return With(acknowledgementMode, "explicit") }

// FromEarliest starts at the first record where the group has committed nothing.  Kafka's default is the end.
func FromEarliest() Option { return With("auto.offset.reset", "earliest") }

// WithManualCommit leaves committing to Commit and its kin.
func WithManualCommit() Option { return With("enable.auto.commit", "false") }

// WithReadCommitted hides records of open and aborted transactions.
func WithReadCommitted() Option { return With("isolation.level", "read_committed") }

// WithRebalance is called, out of Poll and the loops, when the group gives or takes partitions.  The handler may call everything but Poll
// and the loops.
func WithRebalance(handle func(context.Context, *Consumer, Rebalance) error) Option {
	return func(s *settings) { s.onRebalance = handle }
}

// WithZeroCopy has a consumer's records point into the broker's answer itself instead of a copy.  They are valid until the loop goes on to
// the next batch (Records, Batches), or until Release (Poll); looking at one later is a crash, or worse, so Clone what you keep.
func WithZeroCopy() Option { return func(s *settings) { s.zeroCopy = true } }

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func gather(servers string, options []Option) (*settings, error) {
	s := &settings{}
	if servers != "" {
		s.set("bootstrap.servers", servers)
	}
	for _, option := range options {
		if option == nil {
			return nil, wrongArgument("an option is nil")
		}
		option(s)
	}
	return s, nil
}

// The configuration as libkq takes it; the caller frees it.
func (s *settings) config() (ckq.Config, error) {
	var config ckq.Config
	if err := taken(ckq.ConfigNew(&config)); err != nil {
		return nil, err
	}
	for _, each := range s.keys {
		err := checkText("configuration", each.key, each.value)
		switch {
		case err != nil:
		case each.key == "":
			err = taken(ckq.ConfigLoad(config, each.value))
		default:
			err = taken(ckq.ConfigSet(config, each.key, each.value))
		}
		if err != nil {
			ckq.ConfigFree(config)
			return nil, err
		}
	}
	return config, nil
}

// C's strings end at a zero: one inside would be cut off in silence.
func checkText(what string, texts ...string) error {
	for _, text := range texts {
		if strings.IndexByte(text, 0) >= 0 {
			return wrongArgument("%s %q has a zero byte in it", what, text)
		}
	}
	return nil
}

func checkContext(ctx context.Context) error {
	if ctx == nil {
		return wrongArgument("the context is nil: context.Background() waits as long as it takes")
	}
	return ctx.Err()
}
