// Turns of Go: goroutines, each in a thread of its own, and channels. turns.h says what the
// workloads are.
package main

import "runtime"

const (
	posts      = 200000
	roundTrips = 5000
)

// The goroutine that runs the rounds stays in its thread; one processor, as all have.
func begin(size int) {
	runtime.GOMAXPROCS(1)
	runtime.LockOSThread()
}

// post: the channel has room for all, so that nobody waits until there is.
var calls = make(chan func(), posts)
var receivedCount int

func countPost() {
	receivedCount++
}

func postAll() {
	runtime.LockOSThread()
	for i := 0; i < posts; i++ {
		calls <- countPost
	}
}

func runPost() int {
	receivedCount = 0
	go postAll()
	for receivedCount < posts {
		(<-calls)()
	}
	return posts
}

// pingpong
func play(receiver <-chan struct{}, sender chan<- struct{}) {
	runtime.LockOSThread()
	for i := 0; i < roundTrips; i++ {
		<-receiver
		sender <- struct{}{}
	}
}

func runPingpong() int {
	there, back := make(chan struct{}), make(chan struct{})
	go play(there, back)
	for i := 0; i < roundTrips; i++ {
		there <- struct{}{}
		<-back
	}
	return roundTrips
}

var workloads = []workload{
	{"post", begin, runPost},
	{"pingpong", begin, runPingpong},
}
