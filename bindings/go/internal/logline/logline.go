// Package logline makes slog records of kq's log lines, "[2026-11-23 19:06:59,005] WARN [fetcher] text".
package logline

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"strings"
	"time"
)

const lineBytesMax = 64 << 10

var levels = map[string]slog.Level{"ERROR": slog.LevelError, "FATAL": slog.LevelError, "WARN": slog.LevelWarn, "INFO": slog.LevelInfo, "DEBUG": slog.LevelDebug}

// Pump logs lines until their end, and closes where they come from.
func Pump(from io.ReadCloser, logger *slog.Logger) {
	defer from.Close()
	lines := bufio.NewReaderSize(from, lineBytesMax)
	for {
		line, _, err := lines.ReadLine()
		if err != nil {
			return
		}
		log(string(line), logger)
	}
}

func log(line string, logger *slog.Logger) {
	at, level, part, text := parse(line)
	if !logger.Enabled(context.Background(), level) {
		return
	}
	record := slog.NewRecord(at, level, text, 0)
	if part != "" {
		record.AddAttrs(slog.String("part", part))
	}
	logger.Handler().Handle(context.Background(), record)
}

// A line of another shape is text alone.
func parse(line string) (at time.Time, level slog.Level, part, text string) {
	at, level, text = time.Now(), slog.LevelInfo, line
	stamp, rest, ok := strings.Cut(strings.TrimPrefix(line, "["), "] ")
	if !ok {
		return
	}
	when, err := time.ParseInLocation("2006-01-02 15:04:05,000", stamp, time.Local)
	if err != nil {
		return
	}
	name, rest, ok := strings.Cut(rest, " ")
	known, isLevel := levels[name]
	if !ok || !isLevel {
		return
	}
	at, level, text = when, known, rest
	if inner, after, found := strings.Cut(strings.TrimPrefix(rest, "["), "] "); found && strings.HasPrefix(rest, "[") {
		part, text = inner, after
	}
	return
}
