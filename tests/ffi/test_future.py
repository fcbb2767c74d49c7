"""Futures: how what a binding does by itself becomes something to wait for."""

import support
from support import ECLOSED, constant, lib, memory, minus, null


class Futures(support.LoopCase):
    def setUp(self):
        super().setUp()
        self.seen = []  # what observers were told: (data, status, value)
        self.withdrawn = []

    def future(self, data=None):
        on_withdraw = self.callback(
            "aiol_future_withdraw_fn",
            lambda future, data: self.withdrawn.append((future, data)))
        return self.make("future", self.loop, on_withdraw, data)

    def observer(self, future, data=None, then=None):
        def on_result(observer, status, value, data):
            self.seen.append((data, status, value))
            if then:
                then()

        observer = self.make("future_observer", future,
                             self.callback("aiol_future_observer_fn", on_result), data)
        self.assertEqual(lib.aiol_future_observer_start(observer), 0)
        return observer

    def result(self, future):
        value = support.Object()
        return lib.aiol_future_result(future, value), value.value

    def test_all_observers_get_the_result(self):
        future = self.future()
        first, second = self.observer(future, 1), self.observer(future, 2)
        self.assertEqual(lib.aiol_future_observer_start(second), minus("EALREADY"))
        self.assertEqual(self.result(future), (minus("EAGAIN"), None))
        self.assertEqual(lib.aiol_future_is_set(future), 0)
        self.assertEqual(lib.aiol_future_set(future, 3, 99), 0)
        self.assertEqual(self.seen, [])  # nobody is called inside
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.seen, [(1, 3, 99), (2, 3, 99)])
        self.assertEqual(self.result(future), (3, 99))
        self.assertEqual(lib.aiol_future_set(future, 0, None), minus("EALREADY"))

        self.assertEqual(lib.aiol_future_observer_start(first), 0)  # the result is there already
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.seen[2:], [(1, 3, 99)])
        self.assertEqual(self.withdrawn, [])

    def test_a_failure_has_no_value(self):
        future = self.future()
        self.observer(future)
        lib.aiol_future_set(future, minus("EIO"), 99)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.seen, [(None, minus("EIO"), None)])

    def test_cancel_withdraws_the_work(self):
        future = self.future(7)
        self.observer(future)
        self.assertEqual(lib.aiol_future_cancel(future), 0)
        self.assertEqual(self.withdrawn, [(future.value, 7)])
        self.assertEqual(lib.aiol_future_cancel(future), minus("EALREADY"))
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.seen, [(None, minus("ECANCELED"), None)])
        self.assertEqual(len(self.withdrawn), 1)

    def test_close_tells_all_inside_the_call(self):
        future = self.future()
        self.observer(future, 1)
        self.observer(future, 2)
        future.free()
        self.assertEqual(self.seen, [(1, ECLOSED, None), (2, ECLOSED, None)])
        self.assertEqual(len(self.withdrawn), 1)

    def test_close_after_the_result_gives_the_result(self):
        future = self.future()
        self.observer(future)
        lib.aiol_future_set(future, 0, 5)
        future.free()
        self.assertEqual(self.seen, [(None, 0, 5)])
        self.assertEqual(self.withdrawn, [])

    def test_stop(self):
        future = self.future()
        observer = self.observer(future)
        lib.aiol_future_set(future, 0, None)
        lib.aiol_future_observer_stop(observer)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.seen, [])

    def test_an_exception_of_an_observer(self):
        def fail():
            raise ZeroDivisionError

        future = self.future()
        self.observer(future, 1, then=fail)
        self.observer(future, 2)
        lib.aiol_future_set(future, 0, None)
        with self.assertRaises(ZeroDivisionError):
            self.run_loop()
        self.assertEqual([data for data, *_ in self.seen], [1, 2])  # the turn is done to its end

    def test_set_by_a_timer(self):
        future = self.future()
        self.observer(future, then=future.free)
        on_timer = self.callback("aiol_timer_fn",
                                 lambda timer, data: lib.aiol_future_set(future, 0, data))
        timer = self.make("timer", self.loop, on_timer, 11)
        lib.aiol_timer_start(timer, constant["AIOL_SECOND"])
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.seen, [(None, 0, 11)])
        self.assertEqual(lib.aiol_loop_now_ns(self.loop), constant["AIOL_SECOND"])

    def test_in_memory_of_the_caller(self):
        future, observer = memory("aiol_future"), memory("aiol_future_observer")
        on_result = self.callback("aiol_future_observer_fn",
                                  lambda observer, status, *_: self.seen.append(status))
        lib.aiol_future_init(future, self.loop, null("aiol_future_withdraw_fn"), None)
        lib.aiol_future_observer_init(observer, future, on_result, None)
        self.assertEqual(lib.aiol_future_observer_start(observer), 0)
        lib.aiol_future_close(future)
        self.assertEqual(self.seen, [ECLOSED])
