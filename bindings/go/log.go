package kq

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
	"github.com/kq-stream/kq/bindings/go/internal/logline"
)

// logPipe carries kq's log lines to a slog.Logger.  A nil one carries nothing.
type logPipe struct{ write *os.File }

// openLog adds to the settings where log lines go.
func (s *settings) openLog() (*logPipe, error) {
	if s.logger == nil {
		return nil, nil
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, &Error{Code: ErrSystem, Verdict: ErrRefused, Message: "a pipe for log lines: " + err.Error(), Partition: -1}
	}
	s.set("log.descriptor", strconv.Itoa(int(write.Fd())))
	if !s.has("log.level") {
		s.set("log.level", levelOf(s.logger))
	}
	go logline.Pump(read, s.logger)
	return &logPipe{write}, nil
}

func (l *logPipe) close() {
	if l != nil {
		l.write.Close()
	}
}

func (s *settings) has(key string) bool {
	for _, each := range s.keys {
		if each.key == key {
			return true
		}
	}
	return false
}

func levelOf(logger *slog.Logger) string {
	switch ctx := context.Background(); {
	case logger.Enabled(ctx, slog.LevelDebug):
		return "debug"
	case logger.Enabled(ctx, slog.LevelInfo):
		return "info"
	case logger.Enabled(ctx, slog.LevelWarn):
		return "warning"
	}
	return "error"
}

// What is set, or the default; libkq itself refuses what makes no sense.
func configTime(config ckq.Config, key string, otherwise time.Duration) time.Duration {
	if ms, err := strconv.ParseInt(ckq.ConfigGet(config, key), 10, 64); err == nil {
		return time.Duration(ms) * time.Millisecond
	}
	return otherwise
}
