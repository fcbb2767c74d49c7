"""The queue's callback form: getters, putters and joiners. An item is a number, which stands for an
object of the program's: a binding keeps a table."""

import support
from support import ECLOSED, constant, lib, memory, minus, null

DRAIN = constant["AIOL_QUEUE_DRAIN"]
NOW = constant["AIOL_QUEUE_NOW"]
UNBOUNDED = constant["AIOL_QUEUE_UNBOUNDED"]


class Queues(support.LoopCase):
    def setUp(self):
        super().setUp()
        self.told = []  # what callbacks were told: (who, status, item)
        self.destroyed = []

    def queue(self, capacity):
        on_destroy = self.callback("aiol_queue_destroy_fn", self.destroyed.append)
        return self.make("queue", self.loop, capacity, on_destroy)

    def end(self, kind, queue, data=None, then=None):
        """A getter or a putter."""

        def on_end(end, status, item, data):
            self.told.append((data, status, item))
            if then:
                then(end, status, item)

        return self.make(f"queue_{kind}", queue, self.callback(f"aiol_queue_{kind}_fn", on_end),
                         data)

    def joiner(self, queue):
        on_join = self.callback("aiol_queue_joiner_fn",
                                lambda joiner, status, data: self.told.append(("joined", status)))
        return self.make("queue_joiner", queue, on_join, None)

    def start_get(self, queue, data=None, **more):
        getter = self.end("getter", queue, data, **more)
        self.assertEqual(lib.aiol_queue_getter_start(getter), 0)
        return getter

    def start_put(self, queue, item, data=None, **more):
        putter = self.end("putter", queue, data, **more)
        self.assertEqual(lib.aiol_queue_putter_start(putter, item), 0)
        return putter

    def test_objects_go_through_it(self):
        table = {}  # the objects that are on their way, by number
        for word in ("a", ["list"], None):
            table[len(table) + 1] = word
        got = []
        queue = self.queue(1)

        def put_next(putter, status, item):
            if self.to_put:
                lib.aiol_queue_putter_start(putter, self.to_put.pop(0))

        def take(getter, status, item):
            got.append(table.pop(item))
            self.assertEqual(lib.aiol_queue_done(queue), 0)
            if table:
                lib.aiol_queue_getter_start(getter)

        self.to_put = [2, 3]
        self.start_put(queue, 1, then=put_next)
        self.start_get(queue, then=take)
        self.assertEqual(lib.aiol_queue_joiner_start(self.joiner(queue)), 0)
        self.assertEqual(got, [])  # nobody is called inside
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(got, ["a", ["list"], None])
        self.assertEqual(self.told[-1], ("joined", 0))
        self.assertEqual(lib.aiol_queue_unfinished(queue), 0)
        self.assertEqual(self.destroyed, [])

    def test_nowait(self):
        queue = self.queue(2)
        item = support.Object()
        self.assertEqual(lib.aiol_queue_get_nowait(queue, item), minus("EAGAIN"))
        self.assertIsNone(item.value)
        self.assertEqual(lib.aiol_queue_capacity(queue), 2)
        for number, result in ((2**64 - 1, 0), (2, 0), (3, minus("EAGAIN"))):
            self.assertEqual(lib.aiol_queue_put_nowait(queue, number), result)
        self.assertEqual(lib.aiol_queue_count(queue), 2)
        self.assertEqual(lib.aiol_queue_high_water(queue), 2)
        self.assertEqual(lib.aiol_queue_get_nowait(queue, item), 0)
        self.assertEqual(item.value, 2**64 - 1)

    def test_who_waits_is_served_in_order(self):
        queue = self.queue(UNBOUNDED)
        self.start_get(queue, data=1)
        self.start_get(queue, data=2)
        for item in (10, 20, 30):
            self.assertEqual(lib.aiol_queue_put_nowait(queue, item), 0)
        self.assertEqual(lib.aiol_queue_count(queue), 1)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.told, [(1, 0, 10), (2, 0, 20)])

    def test_a_rendezvous(self):
        queue = self.queue(0)
        self.start_put(queue, 5, data=1)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.told, [])
        self.start_get(queue, data=2)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(sorted(self.told), [(1, 0, None), (2, 0, 5)])

    def test_a_getter_that_is_stopped_gives_its_item_back(self):
        queue = self.queue(1)
        getter = self.start_get(queue)
        self.assertEqual(lib.aiol_queue_getter_start(getter), minus("EALREADY"))
        lib.aiol_queue_put_nowait(queue, 7)
        self.assertEqual(getter.free(), minus("EBUSY"))  # it holds the item
        item = support.Object()
        self.assertEqual(lib.aiol_queue_getter_stop(getter, item), 1)
        self.assertEqual(item.value, 7)
        self.assertEqual(lib.aiol_queue_getter_stop(getter, item), 0)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.told, [])

    def test_a_putter_that_is_stopped_keeps_its_item(self):
        queue = self.queue(1)
        lib.aiol_queue_put_nowait(queue, 1)
        putter = self.start_put(queue, 2)
        self.assertEqual(lib.aiol_queue_putter_stop(putter), 0)
        self.assertEqual(lib.aiol_queue_count(queue), 1)
        self.assertEqual(lib.aiol_queue_putter_stop(putter), 1)  # not started

    def test_shut_down_and_drained(self):
        queue = self.queue(1)
        lib.aiol_queue_put_nowait(queue, 1)
        self.start_put(queue, 2, data=2)
        self.assertEqual(lib.aiol_queue_shutdown(queue, DRAIN), 0)
        getter = self.start_get(queue, data=1)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(sorted(self.told), [(1, 0, 1), (2, ECLOSED, 2)])
        self.assertEqual(lib.aiol_queue_getter_start(getter), ECLOSED)
        self.assertEqual(lib.aiol_queue_put_nowait(queue, 3), ECLOSED)
        self.assertEqual(lib.aiol_queue_shutdown(queue, 9), minus("EINVAL"))

    def test_shut_down_now(self):
        queue = self.queue(2)
        for item in (1, 2):
            lib.aiol_queue_put_nowait(queue, item)
        lib.aiol_queue_joiner_start(self.joiner(queue))
        self.assertEqual(lib.aiol_queue_shutdown(queue, NOW), 0)
        self.assertEqual(self.destroyed, [1, 2])
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.told, [("joined", 0)])

    def test_free_tells_all_inside_the_call(self):
        queue = self.queue(1)
        lib.aiol_queue_put_nowait(queue, 1)
        self.start_put(queue, 2, data=1)
        lib.aiol_queue_joiner_start(self.joiner(queue))
        queue.free()
        self.assertEqual(set(self.told), {(1, ECLOSED, 2), ("joined", ECLOSED)})
        self.assertEqual(self.destroyed, [1])

    def test_free_in_the_callback(self):
        queue = self.queue(1)
        getter = self.start_get(queue, then=lambda *_: getter.free())
        lib.aiol_queue_put_nowait(queue, 1)
        self.assertEqual(self.run_loop(), 0)
        self.assertIsNone(getter.value)

    def test_without_a_destructor(self):
        queue = self.make("queue", self.loop, 1, null("aiol_queue_destroy_fn"))
        lib.aiol_queue_put_nowait(queue, 1)

    def test_in_memory_of_the_caller(self):
        queue = self.queue(1)
        blocks = {end: memory("aiol_queue_getter") for end in ("getter", "putter", "joiner")}
        on_get = self.callback("aiol_queue_getter_fn", lambda _, *told: self.told.append(told))
        on_put = self.callback("aiol_queue_putter_fn", lambda _, *told: self.told.append(told))
        on_join = self.callback("aiol_queue_joiner_fn", lambda _, *told: self.told.append(told))
        lib.aiol_queue_getter_init(blocks["getter"], queue, on_get, 1)
        lib.aiol_queue_putter_init(blocks["putter"], queue, on_put, 2)
        lib.aiol_queue_joiner_init(blocks["joiner"], queue, on_join, 3)
        self.assertEqual(lib.aiol_queue_putter_start(blocks["putter"], 9), 0)
        self.assertEqual(lib.aiol_queue_getter_start(blocks["getter"]), 0)
        self.assertEqual(lib.aiol_queue_joiner_start(blocks["joiner"]), 0)
        self.assertEqual(lib.aiol_queue_done(queue), 0)
        self.assertEqual(self.run_loop(), 0)
        self.assertEqual(self.told, [(0, None, 2), (0, 9, 1), (0, 3)])
