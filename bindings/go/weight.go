package kq

import "sync"

// What consumers have fetched lies in C's memory, so Go's collector takes a program that reads a lot for a tiny one, and runs every few
// megabytes of records; that costs as much as the reading.  While consumers copy records into Go's memory, this stands for what they
// have in C: bytes that are never touched, and so take address space alone.
var weight struct {
	lock  sync.Mutex
	users int
	bytes []byte
}

const weightBytes = 16 << 20

func addWeight() {
	weight.lock.Lock()
	defer weight.lock.Unlock()
	if weight.users++; weight.users == 1 {
		weight.bytes = make([]byte, weightBytes)
	}
}

func dropWeight() {
	weight.lock.Lock()
	defer weight.lock.Unlock()
	if weight.users--; weight.users == 0 {
		weight.bytes = nil
	}
}
