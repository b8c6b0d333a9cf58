// Package ckqbroker is the C interface of the embedded broker.
package ckqbroker

/*
#cgo !kq_static pkg-config: kq-broker
#cgo kq_static pkg-config: --static kq-broker
#cgo kq_static LDFLAGS: -Wl,-Bstatic -lkq-broker -lkq -Wl,-Bdynamic -Wl,--as-needed
*/
import "C"

//go:generate ../generate.sh
