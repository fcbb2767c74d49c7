// Tasks of Go: goroutines on one thread, and channels. tasks.h says what the workloads are.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	yields  = 1000000
	spawns  = 200000
	items   = 500000
	futures = 300000
)

var taskCount int
var tasks sync.WaitGroup

func begin(size int) {
	runtime.GOMAXPROCS(1)
	taskCount = size
}

// yield: each task has its share, so that they need not count together
func keepYielding(count int) {
	for i := 0; i < count; i++ {
		runtime.Gosched()
	}
	tasks.Done()
}

func runYield() int {
	share := yields / taskCount
	tasks.Add(taskCount)
	for i := 0; i < taskCount; i++ {
		go keepYielding(share)
	}
	tasks.Wait()
	return share * taskCount
}

// spawn
var ended = make(chan struct{})

func doNothing() {
	ended <- struct{}{}
}

func runSpawn() int {
	for i := 0; i < spawns; i++ {
		go doNothing()
		<-ended
	}
	return spawns
}

// spawn_many and parked_memory
var gate chan struct{}
var parkedCount atomic.Int64

func waitAtGate() {
	parkedCount.Add(1)
	<-gate
	tasks.Done()
}

func parkAll() {
	gate = make(chan struct{})
	parkedCount.Store(0)
	tasks.Add(taskCount)
	for i := 0; i < taskCount; i++ {
		go waitAtGate()
	}
	for parkedCount.Load() < int64(taskCount) {
		runtime.Gosched()
	}
}

func endAll() {
	close(gate)
	tasks.Wait()
}

func runSpawnMany() int {
	parkAll()
	endAll()
	return taskCount
}

func holdParked() int {
	runtime.GC()
	residentBefore := readStatus("VmRSS:")
	tablesBefore := readStatus("VmPTE:")
	parkAll()
	runtime.GC()
	residentBytes = readStatus("VmRSS:") - residentBefore
	pageTableBytes = readStatus("VmPTE:") - tablesBefore
	endAll()
	return taskCount
}

// queue
var queue chan *int
var item int

func beginQueue(size int) {
	begin(size)
	queue = make(chan *int, size)
}

func produce() {
	for i := 0; i < items; i++ {
		queue <- &item
	}
	tasks.Done()
}

func consume() {
	for i := 0; i < items; i++ {
		check(<-queue == &item, "item")
	}
	tasks.Done()
}

func runQueue() int {
	tasks.Add(2)
	go consume()
	go produce()
	tasks.Wait()
	return items
}

// future: a channel that is closed; another one tells of those that are to be set.
func awaitFutures(asked chan<- chan struct{}) {
	for i := 0; i < futures; i++ {
		future := make(chan struct{})
		asked <- future
		<-future
	}
	close(asked)
	tasks.Done()
}

func setFutures(asked <-chan chan struct{}) {
	for future := range asked {
		close(future)
	}
	tasks.Done()
}

func runFuture() int {
	asked := make(chan chan struct{}, 1)
	tasks.Add(2)
	go awaitFutures(asked)
	go setFutures(asked)
	tasks.Wait()
	return futures
}

var workloads = []workload{
	{"yield", begin, runYield},
	{"spawn", begin, runSpawn},
	{"spawn_many", begin, runSpawnMany},
	{"queue", beginQueue, runQueue},
	{"queue_unbuffered", beginQueue, runQueue},
	{"future", begin, runFuture},
	{"parked_memory", begin, holdParked},
}
