package kq

import (
	"fmt"

	"github.com/kq-stream/kq/bindings/go/internal/ckq"
)

// Code is Kafka's number of an error, or kq's own (-1000 and below).  Codes are errors to compare with:
//
//	if errors.Is(err, kq.ErrTopicAlreadyExists) { ... }
type Code int32

// Error gives the code's name, "UNKNOWN_TOPIC_OR_PARTITION".
func (c Code) Error() string { return ckq.CodeName(int32(c)) }

// Verdict says what to do about an error.  Verdicts are errors to compare with, as codes are.
type Verdict int

const (
	ErrRefused Verdict = 1 // this call was wrong, or was answered with no: change it; the handle goes on
	ErrRetry   Verdict = 2 // not now: nothing was done, do the same again later
	ErrAbort   Verdict = 3 // the transaction cannot be committed, and was aborted or has to be; the handle goes on
	ErrFatal   Verdict = 4 // the handle is of no use any more: close it
)

func (v Verdict) Error() string {
	switch v {
	case ErrRefused:
		return "refused"
	case ErrRetry:
		return "not now: try again"
	case ErrAbort:
		return "the transaction is aborted"
	case ErrFatal:
		return "the handle is of no use any more"
	}
	return "ok"
}

// Error is what kq says of a failure.  errors.As finds it; errors.Is compares it with codes and verdicts.
type Error struct {
	Code      Code
	Verdict   Verdict
	Message   string // for a person: what failed, where, why, and what helps
	Topic     string // the topic that it is about, "": none in particular
	Partition int32  // the partition that it is about, -1: none in particular
}

func (e *Error) Error() string {
	if e.Message == "" {
		return "kq: " + e.Code.Error()
	}
	return "kq: " + e.Message
}

// Is compares with a Code or a Verdict.
func (e *Error) Is(target error) bool {
	switch target := target.(type) {
	case Code:
		return e.Code == target
	case Verdict:
		return e.Verdict == target
	}
	return false
}

// Retriable tells whether the same call may go well later.
func (e *Error) Retriable() bool { return e.Verdict == ErrRetry }

func init() { ckq.NewError = func(failure ckq.Error) error { return taken(failure) } }

// What C returned, which is freed; nil is no error.
func taken(failure ckq.Error) error {
	if failure == nil {
		return nil
	}
	defer ckq.ErrorFree(failure)
	return borrowed(failure)
}

// What belongs to a batch or to rows.
func borrowed(failure ckq.Error) *Error {
	return &Error{
		Code: Code(ckq.ErrorCode(failure)), Verdict: Verdict(ckq.ErrorVerdict(failure)), Message: ckq.ErrorMessage(failure),
		Topic: ckq.ErrorTopic(failure), Partition: ckq.ErrorPartition(failure),
	}
}

func wrongArgument(format string, arguments ...any) error {
	return &Error{Code: ErrArgument, Verdict: ErrRefused, Message: fmt.Sprintf(format, arguments...), Partition: -1}
}

func closedError(what string) error {
	return &Error{Code: ErrClosed, Verdict: ErrFatal, Message: "this " + what + " was closed before", Partition: -1}
}
