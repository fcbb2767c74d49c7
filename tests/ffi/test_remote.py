"""The queue from Python threads, which block in it while another one runs the loop."""

import support
from support import ECLOSED, MILLISECOND, NEVER, constant, lib, minus, null


class Remotes(support.LoopCase):
    clock = "AIOL_CLOCK_MONOTONIC"

    def setUp(self):
        super().setUp()
        self.queue = self.make("queue", self.loop, 2, null("aiol_queue_destroy_fn"))
        self.remote = self.make("queue_remote", self.queue)

    def start_threads(self, count, function):
        """Threads that each use the remote and release it: the last one lets the loop end."""

        def use(number):
            function(number)
            lib.aiol_queue_remote_release(self.remote)

        for _ in range(count):
            lib.aiol_queue_remote_retain(self.remote)
        lib.aiol_queue_remote_release(self.remote)
        threads = [self.in_thread(use, number) for number in range(count)]
        self.addCleanup(lambda: [thread.join() for thread in threads])
        self.addCleanup(setattr, self.remote, "value", None)  # freed by one of them
        return threads

    def test_producers(self):
        got = []

        def take(getter, status, item, data):
            got.append((status, item))
            lib.aiol_queue_getter_start(getter)

        def produce(number):
            for count in range(1, 101):
                result = lib.aiol_blocking_queue_put(self.remote, number * 1000 + count, NEVER)
                self.assertEqual(result, 0)

        getter = self.make("queue_getter", self.queue,
                           self.callback("aiol_queue_getter_fn", take), None)
        lib.aiol_queue_getter_start(getter)
        self.start_threads(3, produce)
        self.assertEqual(self.run_loop(), 0)
        lib.aiol_queue_getter_stop(getter, support.Object())
        self.assertEqual({status for status, _ in got}, {0})
        for number in range(3):
            self.assertEqual([item for _, item in got if item // 1000 == number],
                             [number * 1000 + count for count in range(1, 101)])

    def test_consumers(self):
        got = []
        joined = []
        items = list(range(1, 101))

        def consume(number):
            item = support.Object()
            while (result := lib.aiol_blocking_queue_get(self.remote, NEVER, item)) == 0:
                got.append(item.value)
                self.assertEqual(lib.aiol_blocking_queue_done(self.remote, NEVER), 0)
            self.assertEqual(result, ECLOSED)

        def put_next(putter, status, item, data):
            if items:
                lib.aiol_queue_putter_start(putter, items.pop(0))
            else:
                lib.aiol_queue_shutdown(self.queue, constant["AIOL_QUEUE_DRAIN"])
                lib.aiol_queue_joiner_start(joiner)

        putter = self.make("queue_putter", self.queue,
                           self.callback("aiol_queue_putter_fn", put_next), None)
        on_join = self.callback("aiol_queue_joiner_fn",
                                lambda joiner, status, data: joined.append(status))
        joiner = self.make("queue_joiner", self.queue, on_join, None)
        lib.aiol_queue_putter_start(putter, items.pop(0))
        self.start_threads(3, consume)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(sorted(got), list(range(1, 101)))
        self.assertEqual(joined, [0])

    def test_a_deadline(self):
        results = []

        def wait(number):
            deadline = lib.aiol_deadline_after(MILLISECOND)
            results.append(lib.aiol_blocking_queue_get(self.remote, deadline, support.Object()))
            results.append(lib.aiol_blocking_queue_join(self.remote, NEVER))

        self.start_threads(1, wait)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(results, [minus("ETIMEDOUT"), 0])

    def test_not_in_a_callback(self):
        results = []
        on_call = self.callback("aiol_deferred_fn", lambda *_: results.append(
            lib.aiol_blocking_queue_put(self.remote, 1, NEVER)))
        deferred = self.make("deferred", self.loop, on_call, None)
        lib.aiol_deferred_start(deferred)
        self.assertEqual(lib.aiol_loop_run_once(self.loop, 0), 1)
        self.raise_failure()
        self.assertEqual(results, [minus("EBUSY")])
