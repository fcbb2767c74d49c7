"""Watchers on real sockets and on simulated ones, and how a signal reaches Python in a wait."""

import ctypes
import os
import signal
import socket
import threading

import support
from support import MILLISECOND, constant, lib, memory, minus, options

READABLE = constant["AIOL_READABLE"]
WRITABLE = constant["AIOL_WRITABLE"]
HANGUP = constant["AIOL_HANGUP"]


class Sockets(support.LoopCase):
    clock = "AIOL_CLOCK_MONOTONIC"

    def setUp(self):
        super().setUp()
        self.ours, self.theirs = socket.socketpair()
        for end in (self.ours, self.theirs):
            end.setblocking(False)
            self.addCleanup(end.close)
        self.seen = []

    def watcher(self, function, end=None):
        on_ready = self.callback("aiol_io_fn", function)
        return self.make("io", self.loop, (end or self.ours).fileno(), on_ready, 42)

    def test_bytes_and_their_end(self):
        def on_ready(io, ready, data):
            received = self.ours.recv(100)
            self.seen.append((bool(ready & READABLE), bool(ready & HANGUP), received, data))
            if not received:
                lib.aiol_io_stop(io)

        watcher = self.watcher(on_ready)
        self.assertEqual(lib.aiol_io_start(watcher, READABLE), 0)
        self.assertEqual(lib.aiol_io_is_active(watcher), 1)
        self.assertEqual(lib.aiol_io_fd(watcher), self.ours.fileno())
        self.theirs.send(b"one")
        self.assertEqual(lib.aiol_loop_run_once(self.loop, support.NEVER), 1)
        self.theirs.send(b"two")
        self.assertEqual(lib.aiol_loop_run_once(self.loop, support.NEVER), 1)
        self.theirs.close()
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.seen, [(True, False, b"one", 42), (True, False, b"two", 42),
                                     (True, True, b"", 42)])

    def test_writable(self):
        def on_ready(io, ready, data):
            self.seen.append(ready)
            lib.aiol_io_stop(io)

        self.assertEqual(lib.aiol_io_start(self.watcher(on_ready), WRITABLE), 0)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.seen, [WRITABLE])

    def test_free_in_the_callback(self):
        def on_ready(io, ready, data):
            self.seen.append(ready)
            watcher.free()
            self.ours.close()

        watcher = self.watcher(on_ready)
        self.assertEqual(lib.aiol_io_start(watcher, READABLE), 0)
        self.theirs.send(b"!")
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.seen, [READABLE])

    def test_in_memory_of_the_caller(self):
        block = memory("aiol_io")

        def on_ready(io, ready, data):
            self.seen.append(io)
            lib.aiol_io_close(io)

        lib.aiol_io_init(block, self.loop, self.ours.fileno(),
                         self.callback("aiol_io_fn", on_ready), None)
        self.assertEqual(lib.aiol_io_start(block, READABLE), 0)
        self.theirs.send(b"!")
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.seen, [ctypes.addressof(block)])

    def test_errors(self):
        watcher = self.watcher(lambda *_: None)
        self.assertEqual(lib.aiol_io_start(watcher, 0), minus("EINVAL"))
        self.assertEqual(lib.aiol_io_start(watcher, 2**31), minus("EINVAL"))
        nowhere = self.make("io", self.loop, -1, self.callback("aiol_io_fn", lambda *_: None), None)
        self.assertEqual(lib.aiol_io_start(nowhere, READABLE), minus("EBADF"))
        uncalled = self.make("io", self.loop, -1, support.null("aiol_io_fn"), None)
        self.assertEqual(lib.aiol_io_start(uncalled, READABLE), minus("EINVAL"))

    def test_recv_and_send(self):
        buffer = ctypes.create_string_buffer(100)
        ours, theirs = self.ours.fileno(), self.theirs.fileno()
        self.assertEqual(lib.aiol_fd_recv(self.loop, ours, buffer, 100), minus("EAGAIN"))
        self.assertEqual(lib.aiol_fd_send(self.loop, theirs, b"some \0 bytes", 12), 12)
        self.assertEqual(lib.aiol_fd_recv(self.loop, ours, buffer, 100), 12)
        self.assertEqual(buffer.raw[:12], b"some \0 bytes")
        self.assertEqual(lib.aiol_fd_shutdown(self.loop, theirs), 0)
        self.assertEqual(lib.aiol_fd_recv(self.loop, ours, buffer, 100), 0)
        self.assertEqual(lib.aiol_fd_close(self.loop, self.theirs.detach()), 0)
        self.assertEqual(lib.aiol_fd_send(self.loop, ours, b"!", 1), minus("EPIPE"))

    def test_a_signal_reaches_python_in_a_wait(self):
        """Python handles a signal when it runs next, which it does not while the loop waits: so a
        byte for each signal, written in the signal itself, has to call something back."""

        def on_ready(io, ready, data):
            self.seen.append(self.ours.recv(100))
            lib.aiol_io_stop(io)

        def on_signal(number, frame):
            self.seen.append(number)

        before = signal.signal(signal.SIGUSR1, on_signal)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        self.addCleanup(signal.set_wakeup_fd, signal.set_wakeup_fd(self.theirs.fileno()))
        watcher = self.watcher(on_ready)
        lib.aiol_io_start(watcher, READABLE)
        sender = threading.Timer(0.001, os.kill, (os.getpid(), signal.SIGUSR1))
        sender.start()
        self.assertEqual(self.run_loop(), 0)
        sender.join()
        self.assertCountEqual(self.seen, [signal.SIGUSR1, bytes([signal.SIGUSR1])])


class Simulated(support.LoopCase):
    def pair(self, **wishes):
        fds = (ctypes.c_int * 2)()
        made = options("aiol_sim_stream_options", **wishes)
        self.assertEqual(lib.aiol_sim_stream_pair(self.loop, made, fds), 0)
        return list(fds)

    def test_bytes_arrive_in_pieces_and_late(self):
        ours, theirs = self.pair(max_chunk_bytes=5, min_delay_ns=MILLISECOND,
                                 max_delay_ns=2 * MILLISECOND)
        received = bytearray()
        times = []

        def on_ready(io, ready, data):
            buffer = ctypes.create_string_buffer(1000)
            size = lib.aiol_fd_recv(self.loop, ours, buffer, 1000)
            received.extend(buffer.raw[:size])
            times.append(lib.aiol_loop_now_ns(self.loop))
            if size == 0:
                lib.aiol_io_close(io)

        watcher = self.make("io", self.loop, ours, self.callback("aiol_io_fn", on_ready), None)
        self.assertEqual(lib.aiol_io_start(watcher, READABLE), 0)
        sent = bytes(range(100))
        self.assertEqual(lib.aiol_fd_send(self.loop, theirs, sent, 100), 100)
        self.assertEqual(lib.aiol_fd_shutdown(self.loop, theirs), 0)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(bytes(received), sent)
        self.assertEqual(times, sorted(times))
        self.assertGreaterEqual(times[0], MILLISECOND)
        self.assertGreater(len(set(times)), 2)
        for fd in (ours, theirs):
            self.assertEqual(lib.aiol_fd_close(self.loop, fd), 0)

    def test_a_full_direction(self):
        _, theirs = self.pair(capacity_bytes=10)
        self.assertEqual(lib.aiol_fd_send(self.loop, theirs, bytes(100), 100), 10)
        self.assertEqual(lib.aiol_fd_send(self.loop, theirs, b"!", 1), minus("EAGAIN"))

    def test_options_that_are_refused(self):
        fds = (ctypes.c_int * 2)(-1, -1)
        wrong = options("aiol_sim_stream_options", min_delay_ns=2, max_delay_ns=1)
        self.assertEqual(lib.aiol_sim_stream_pair(self.loop, wrong, fds), minus("EINVAL"))
        self.assertEqual(list(fds), [-1, -1])

    def test_real_descriptors_are_refused(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        watcher = self.make("io", self.loop, ours.fileno(),
                            self.callback("aiol_io_fn", lambda *_: None), None)
        self.assertEqual(lib.aiol_io_start(watcher, READABLE), minus("ENOTSUP"))


class NotSimulated(support.LoopCase):
    clock = "AIOL_CLOCK_MONOTONIC"

    def test_no_pair(self):
        fds = (ctypes.c_int * 2)()
        self.assertEqual(lib.aiol_sim_stream_pair(self.loop, None, fds), minus("ENOTSUP"))
