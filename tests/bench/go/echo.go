// Echo by Go: a goroutine for each connection. echo.h says what the workloads are.
package main

import (
	"fmt"
	"net"
	"runtime"
)

const bufferBytes = 65536

func echo(connection *net.TCPConn) {
	buffer := make([]byte, bufferBytes)
	for {
		size, err := connection.Read(buffer)
		if err != nil {
			break
		}
		_, err = connection.Write(buffer[:size])
		check(err == nil, "write")
	}
	connection.Close()
}

// Connections have TCP_NODELAY unless they are told otherwise; SIGTERM ends the program.
func serve(size int) {
	runtime.GOMAXPROCS(1)
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check(err == nil, "listen")
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.AcceptTCP()
		check(err == nil, "accept")
		go echo(connection)
	}
}

var workloads = []workload{
	{"echo", serve, nil},
	{"echo16k", serve, nil},
}
