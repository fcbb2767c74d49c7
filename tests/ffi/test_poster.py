"""Posts from Python threads. ctypes gives up the interpreter's lock around each call, and takes it
for each callback: so threads run while the loop waits."""

import threading

import support
from support import ECLOSED, NEVER, lib, memory, null


class Posters(support.LoopCase):
    clock = "AIOL_CLOCK_MONOTONIC"

    def setUp(self):
        super().setUp()
        self.received = []

    def on_post(self, then=None):
        def on_post(status, data):
            self.received.append((status, data, threading.get_ident()))
            if then:
                then()

        return self.callback("aiol_post_fn", on_post)

    def test_a_post_wakes_the_loop(self):
        poster = self.make("poster", self.loop)
        on_post = self.on_post(then=poster.free)  # the last reference kept the loop alive
        thread = self.in_thread(
            lambda: self.assertEqual(lib.aiol_poster_post(poster, on_post, 7), 0))
        self.assertEqual(self.run_loop(), 0)
        thread.join()
        self.assertEqual(self.received, [(0, 7, threading.get_ident())])

    def test_each_thread_in_its_order(self):
        threads, posts = 4, 250
        poster = self.make("poster", self.loop)
        on_post = self.on_post()

        def post_all(number):
            for count in range(1, posts + 1):
                result = lib.aiol_poster_post(poster, on_post, number * 1000 + count)
                self.assertEqual(result, 0)
            lib.aiol_poster_release(poster)

        started = []
        for number in range(threads):
            lib.aiol_poster_retain(poster)  # one reference for each thread
            started.append(self.in_thread(post_all, number))
        lib.aiol_poster_release(poster)
        self.assertEqual(self.run_loop(), 0)
        for thread in started:
            thread.join()
        poster.value = None  # freed by the last release, whoever made it
        numbers = [data for _, data, _ in self.received]
        self.assertEqual(len(numbers), threads * posts)
        for number in range(threads):
            own = [data for data in numbers if data // 1000 == number]
            self.assertEqual(own, sorted(own))
        self.assertEqual({ident for *_, ident in self.received}, {threading.get_ident()})

    def test_with_a_node_of_the_callers(self):
        poster = self.make("poster", self.loop)
        node = memory("aiol_post")
        lib.aiol_post_init(node, self.on_post(then=poster.free), 5)
        thread = self.in_thread(
            lambda: self.assertEqual(lib.aiol_poster_post_node(poster, node), 0))
        self.assertEqual(self.run_loop(), 0)
        thread.join()
        self.assertEqual([(status, data) for status, data, _ in self.received], [(0, 5)])

    def test_a_node_is_free_in_its_callback(self):
        poster = self.make("poster", self.loop)
        node = memory("aiol_post")

        def again():
            if len(self.received) < 3:
                self.assertEqual(lib.aiol_poster_post_node(poster, node), 0)
            else:
                poster.free()

        on_post = self.on_post(then=again)
        lib.aiol_post_init(node, on_post, None)
        lib.aiol_poster_post_node(poster, node)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(len(self.received), 3)

    def test_wake(self):
        poster = self.make("poster", self.loop)
        thread = self.in_thread(lambda: self.assertEqual(lib.aiol_poster_wake(poster), 0))
        self.assertEqual(lib.aiol_loop_run_once(self.loop, NEVER), 1)
        thread.join()
        self.assertEqual(self.received, [])

    def test_unref(self):
        poster = self.make("poster", self.loop)
        lib.aiol_poster_unref(poster)
        self.assertEqual(self.run_loop(), 0)
        lib.aiol_poster_ref(poster)
        self.assertEqual(lib.aiol_loop_is_alive(self.loop), 1)

    def test_it_outlives_the_loop(self):
        poster = self.make("poster", self.loop)
        self.assertEqual(lib.aiol_poster_post(poster, self.on_post(), 1), 0)
        self.assertEqual(lib.aiol_loop_free(self.loop), 0)
        self.loop.value = None  # free_loop() frees NULL
        self.assertEqual(self.received, [(ECLOSED, 1, threading.get_ident())])
        results = []
        thread = self.in_thread(lambda: results.extend([
            lib.aiol_poster_post(poster, null("aiol_post_fn"), None),
            lib.aiol_poster_wake(poster)]))
        thread.join()
        self.assertEqual(results, [ECLOSED, ECLOSED])
