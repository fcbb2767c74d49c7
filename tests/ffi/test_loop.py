"""Loop, timers, deferred calls and hooks, driven from Python."""

import ctypes
import os
import signal
import time

import support
from support import MILLISECOND, NEVER, constant, lib, memory, minus


class Loop(support.LoopCase):
    def test_nothing_to_do(self):
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(lib.aiol_loop_is_alive(self.loop), 0)
        self.assertEqual(lib.aiol_loop_next_timeout_ns(self.loop), NEVER)
        self.assertEqual(lib.aiol_loop_run_once(self.loop, 0), 0)

    def test_current(self):
        seen = []
        on_call = self.callback("aiol_deferred_fn",
                                lambda deferred, data: seen.append(lib.aiol_loop_current()))
        deferred = self.make("deferred", self.loop, on_call, None)
        lib.aiol_deferred_start(deferred)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(seen, [self.loop.value])
        self.assertIsNone(lib.aiol_loop_current())

    def test_not_twice_at_a_time(self):
        results = []
        on_call = self.callback("aiol_deferred_fn", lambda deferred, data: results.append(
            (lib.aiol_loop_run(self.loop), lib.aiol_loop_free(self.loop))))
        deferred = self.make("deferred", self.loop, on_call, None)
        lib.aiol_deferred_start(deferred)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(results, [(minus("EBUSY"), minus("EBUSY"))])

    def test_an_exception_ends_the_run(self):
        def fail(timer, data):
            raise KeyError("from a callback")

        timer = self.make("timer", self.loop, self.callback("aiol_timer_fn", fail), None)
        lib.aiol_timer_start_every(timer, MILLISECOND, constant["AIOL_FIXED_RATE"])
        with self.assertRaisesRegex(KeyError, "from a callback"):
            self.run_loop()
        self.assertEqual(lib.aiol_loop_now_ns(self.loop), MILLISECOND)
        with self.assertRaises(KeyError):  # the loop is as usable as before
            self.run_loop()
        self.assertEqual(lib.aiol_loop_now_ns(self.loop), 2 * MILLISECOND)

    def test_what_keeps_it_alive(self):
        kind = constant["AIOL_ALIVE_TIMER"]
        timer = self.make("timer", self.loop, self.callback("aiol_timer_fn", lambda *_: None), None)
        self.assertEqual(lib.aiol_loop_alive_count(self.loop, kind), 0)
        lib.aiol_timer_start(timer, MILLISECOND)
        self.assertEqual(lib.aiol_loop_alive_count(self.loop, kind), 1)
        self.assertEqual(lib.aiol_loop_free(self.loop), minus("EBUSY"))
        lib.aiol_timer_unref(timer)
        self.assertEqual(lib.aiol_loop_alive_count(self.loop, kind), 0)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(lib.aiol_timer_is_active(timer), 1)

    def test_awaiting_needs_a_task(self):
        self.assertEqual(lib.aiol_await_sleep(1), constant["AIOL_ENOTASK"])


class Timers(support.LoopCase):
    def setUp(self):
        super().setUp()
        self.fired = []  # (by the loop's clock, data)

    def timer(self, data=None, then=None):
        def on_timer(timer, data):
            self.fired.append((lib.aiol_loop_now_ns(self.loop), data))
            if then:
                then(timer)

        return self.make("timer", self.loop, self.callback("aiol_timer_fn", on_timer), data)

    def test_in_the_order_of_deadlines(self):
        for data, delay in ((1, 3), (2, 1), (3, 2), (4, 1)):
            lib.aiol_timer_start(self.timer(data), delay * constant["AIOL_HOUR"])
        self.assertEqual(self.run_loop(), 0)
        hour = constant["AIOL_HOUR"]
        self.assertEqual(self.fired, [(hour, 2), (hour, 4), (2 * hour, 3), (3 * hour, 1)])

    def test_times_beyond_32_bits(self):
        deadline = 2**63 + 12345
        timer = self.timer()
        lib.aiol_timer_start_at(timer, deadline)
        self.assertEqual(lib.aiol_timer_deadline_ns(timer), deadline)
        self.assertEqual(lib.aiol_timer_remaining_ns(timer), deadline)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.fired, [(deadline, None)])
        self.assertEqual(lib.aiol_timer_deadline_ns(timer), NEVER)

    def test_repeat_until_stopped_in_the_callback(self):
        def stop_third(timer):
            self.assertEqual(lib.aiol_timer_is_active(timer), 1)
            if len(self.fired) == 3:
                lib.aiol_timer_stop(timer)

        timer = self.timer(then=stop_third)
        lib.aiol_timer_start_every(timer, MILLISECOND, constant["AIOL_FIXED_DELAY"])
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual([now for now, _ in self.fired], [MILLISECOND * n for n in (1, 2, 3)])
        self.assertEqual(lib.aiol_timer_start_every(timer, 0, 0), minus("EINVAL"))

    def test_start_again_and_free_in_the_callback(self):
        def again(pointer):
            if len(self.fired) < 3:
                lib.aiol_timer_start(pointer, MILLISECOND)
            else:
                timer.free()

        timer = self.timer(then=again)
        lib.aiol_timer_start(timer, 0)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual([now for now, _ in self.fired], [0, MILLISECOND, 2 * MILLISECOND])

    def test_a_neighbour_is_stopped_in_the_same_turn(self):
        second = self.timer(2)
        first = self.timer(1, then=lambda timer: lib.aiol_timer_stop(second))
        lib.aiol_timer_start(first, MILLISECOND)
        lib.aiol_timer_start(second, MILLISECOND)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.fired, [(MILLISECOND, 1)])

    def test_stop_ends_the_run(self):
        timer = self.timer(then=lambda timer: lib.aiol_loop_stop(self.loop))
        lib.aiol_timer_start_every(timer, MILLISECOND, constant["AIOL_FIXED_RATE"])
        self.assertEqual(self.run_loop(), 1)
        self.assertEqual(len(self.fired), 1)

    def test_in_memory_of_the_caller(self):
        pointers = []
        on_timer = self.callback("aiol_timer_fn", lambda *both: pointers.append(both))
        block = memory("aiol_timer")
        lib.aiol_timer_init(block, self.loop, on_timer, 2**64 - 1)
        self.assertEqual(lib.aiol_timer_start(block, MILLISECOND), 0)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(pointers, [(ctypes.addressof(block), 2**64 - 1)])


class RealTime(support.LoopCase):
    clock = "AIOL_CLOCK_MONOTONIC"

    def test_a_timer_is_never_early(self):
        timer = self.make("timer", self.loop, self.callback("aiol_timer_fn", lambda *_: None), None)
        start = time.monotonic_ns()
        lib.aiol_timer_start(timer, 5 * MILLISECOND)
        self.assertEqual(self.run_loop(), 0)
        self.assertGreaterEqual(time.monotonic_ns() - start, 5 * MILLISECOND)

    def test_embedded_in_a_loop_of_the_callers(self):
        fired = []
        timer = self.make("timer", self.loop,
                          self.callback("aiol_timer_fn", lambda *_: fired.append(1)), None)
        lib.aiol_timer_start(timer, 2 * MILLISECOND)
        while not fired:
            self.assertEqual(lib.aiol_loop_prepare(self.loop), 0)
            timeout = lib.aiol_loop_next_timeout_ns(self.loop)
            self.assertLessEqual(timeout, 2 * MILLISECOND)
            backend = lib.aiol_loop_backend_fd(self.loop)
            support.wait_readable(backend, timeout)
            self.assertGreaterEqual(lib.aiol_loop_run_once(self.loop, 0), 0)

    def test_in_a_child_of_fork(self):
        fired = []
        on_timer = self.callback("aiol_timer_fn", lambda *_: fired.append(os.getpid()))
        timer = self.make("timer", self.loop, on_timer, None)
        lib.aiol_timer_start(timer, MILLISECOND)
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            usable = lib.aiol_loop_reinit_after_fork(self.loop) == 0
            ran = usable and lib.aiol_loop_run(self.loop) == 0
            os._exit(0 if ran and fired == [os.getpid()] else 1)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(fired, [os.getpid()])
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)


class Deferred(support.LoopCase):
    def setUp(self):
        super().setUp()
        self.called = []

    def deferred(self, data, then=None):
        def on_call(deferred, data):
            self.called.append(data)
            if then:
                then(deferred)

        return self.make("deferred", self.loop, self.callback("aiol_deferred_fn", on_call), data)

    def test_in_the_order_of_starts(self):
        first, second = self.deferred(1), self.deferred(2)
        for deferred in (second, first, second):
            self.assertEqual(lib.aiol_deferred_start(deferred), 0)
        self.assertEqual(self.called, [])
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.called, [2, 1])

    def test_what_is_started_meanwhile_waits_for_the_next_turn(self):
        last = self.deferred(3)
        for deferred in (self.deferred(1, then=lambda _: lib.aiol_deferred_start(last)),
                         self.deferred(2)):
            lib.aiol_deferred_start(deferred)
        self.assertEqual(lib.aiol_loop_run_once(self.loop, 0), 1)
        self.assertEqual(self.called, [1, 2])
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.called, [1, 2, 3])

    def test_stop(self):
        second = self.deferred(2)
        lib.aiol_deferred_start(self.deferred(1, then=lambda _: lib.aiol_deferred_stop(second)))
        lib.aiol_deferred_start(second)
        self.assertEqual(lib.aiol_deferred_is_active(second), 1)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.called, [1])

    def test_free_in_the_callback(self):
        deferred = self.deferred(1, then=lambda _: deferred.free())
        lib.aiol_deferred_start(deferred)
        self.assertEqual(self.run_loop(), 0)
        self.assertIsNone(deferred.value)


class Hooks(support.LoopCase):
    def test_around_each_wait(self):
        seen = []
        places = {"after": constant["AIOL_HOOK_AFTER_WAIT"],
                  "before": constant["AIOL_HOOK_BEFORE_WAIT"]}
        hooks = []
        for name, place in places.items():
            on_wait = self.callback("aiol_hook_fn", lambda hook, data, name=name: seen.append(name))
            hooks.append(self.make("hook", self.loop, place, on_wait, None))
            self.assertEqual(lib.aiol_hook_start(hooks[-1]), 0)
        on_timer = self.callback("aiol_timer_fn", lambda timer, data: seen.append("timer"))
        timer = self.make("timer", self.loop, on_timer, None)
        lib.aiol_timer_start(timer, MILLISECOND)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(seen, ["before", "after", "timer"])

        lib.aiol_hook_stop(hooks[1])
        self.assertEqual([lib.aiol_hook_is_active(hook) for hook in hooks], [1, 0])
        lib.aiol_timer_start(timer, MILLISECOND)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(seen[3:], ["after", "timer"])

    def test_an_unknown_place(self):
        hook = self.make("hook", self.loop, 7, support.null("aiol_hook_fn"), None)
        self.assertEqual(lib.aiol_hook_start(hook), minus("EINVAL"))
