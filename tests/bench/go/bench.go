// The main function of the participants written in Go, as bench.c is of the others; bench.h says
// what a participant does. Each is built of this file and that of its group:
//
//	go build -o bench_tasks_go bench.go tasks.go
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

type workload struct {
	name  string
	begin func(size int)
	round func() int
}

// What rounds that measure memory report.
var residentBytes, pageTableBytes int

func check(isGood bool, what string) {
	if !isGood {
		fmt.Fprintln(os.Stderr, what)
		os.Exit(1)
	}
}

// A field of /proc/self/status, which has it in kB.
func readStatus(name string) int {
	status, err := os.ReadFile("/proc/self/status")
	check(err == nil, "/proc/self/status")
	value := 0
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, name) {
			fmt.Sscan(line[len(name):], &value)
		}
	}
	return value * 1024
}

func processorNs() int64 {
	const clockProcessCPUTime = 2
	var now syscall.Timespec
	_, _, err := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockProcessCPUTime,
		uintptr(unsafe.Pointer(&now)), 0)
	check(err == 0, "clock_gettime")
	return now.Nano()
}

func measure(measured workload) {
	begun := processorNs()
	operations := measured.round()
	taken := processorNs() - begun
	if residentBytes != 0 {
		fmt.Printf("memory B %d %d\n", operations, residentBytes)
		fmt.Printf("page_tables B %d %d\n\n", operations, pageTableBytes)
	} else {
		fmt.Printf("time ns %d %d\n\n", operations, taken)
	}
}

// "100", "1M", "100k"; "-" is 0
func readNumber(text string) int {
	text = strings.ReplaceAll(text, "k", "000")
	text = strings.ReplaceAll(text, "M", "000000")
	number, _ := strconv.Atoi(text)
	return number
}

func main() {
	if len(os.Args) != 3 {
		for _, each := range workloads {
			fmt.Println(each.name)
		}
		return
	}
	for _, each := range workloads {
		if each.name == os.Args[1] {
			each.begin(readNumber(os.Args[2]))
			for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
				measure(each)
			}
			return
		}
	}
	check(false, "no such workload")
}
