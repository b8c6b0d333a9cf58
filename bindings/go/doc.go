// Package kq produces to and consumes from Apache Kafka, and any broker that speaks its protocol, by way of libkq.
//
//	producer, err := kq.NewProducer(ctx, "localhost:9092")
//	err = producer.Send(ctx, &kq.Record{Topic: "greetings", Value: []byte("hello")})
//
//	consumer, err := kq.NewConsumer(ctx, "localhost:9092", kq.WithGroup("readers"), kq.WithTopics("greetings"))
//	for record, err := range consumer.Records(ctx) { ... }
//
// # Conventions
//
// A context ends any wait.  Everything is safe for use by many goroutines, and has a Close that may be called twice; a program may also
// just end.  Options have Kafka's own configuration keys behind them: With sets any of them, TLS's and SASL's too as far as this libkq
// has them.
//
// # Errors
//
// What fails gives an *Error, which errors.Is compares with Kafka's codes (ErrUnknownTopicOrPartition, ...) and with what is to be done
// about it: ErrRefused, ErrRetry, ErrAbort, ErrFatal.
//
// # What crosses to C
//
// Records gather in Go and are handed over by the hundred, and come by the batch; waiting is done in Go's own poller, so a goroutine that
// waits for records holds no thread.  No thread of C's ever runs Go code.
package kq
