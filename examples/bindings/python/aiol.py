"""libaio-loop for Python programs, by ctypes alone: loops, timers, watched descriptors, queues.

README.md beside this file says what a binding has to see to, and where it is seen to here.
"""

from __future__ import annotations

import ctypes
import itertools
import os
from ctypes import (CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_size_t, c_uint32, c_uint64,
                    c_void_p)
from typing import Any, Callable

READABLE, WRITABLE, HANGUP, ERROR = 1, 2, 4, 8
FIXED_RATE, FIXED_DELAY = 0, 1
QUEUE_DRAIN, QUEUE_NOW = 0, 1
ECLOSED = -10001
SECOND = 1_000_000_000

TimerFn = CFUNCTYPE(None, c_void_p, c_void_p)
IoFn = CFUNCTYPE(None, c_void_p, c_uint32, c_void_p)
QueueDestroyFn = CFUNCTYPE(None, c_void_p)
QueueEndFn = CFUNCTYPE(None, c_void_p, c_int, c_void_p, c_void_p)  # a getter's and a putter's

# What ctypes must know of each function: the type of its result, and those of its arguments.
PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "aiol_error_name": (c_char_p, [c_int]),
    "aiol_error_message": (c_char_p, [c_int]),
    "aiol_loop_new": (c_int, [c_void_p, POINTER(c_void_p)]),
    "aiol_loop_free": (c_int, [c_void_p]),
    "aiol_loop_run": (c_int, [c_void_p]),
    "aiol_loop_stop": (None, [c_void_p]),
    "aiol_loop_now_ns": (c_uint64, [c_void_p]),
    "aiol_timer_new": (c_int, [c_void_p, TimerFn, c_void_p, POINTER(c_void_p)]),
    "aiol_timer_free": (None, [c_void_p]),
    "aiol_timer_start": (c_int, [c_void_p, c_uint64]),
    "aiol_timer_start_every": (c_int, [c_void_p, c_uint64, c_uint32]),
    "aiol_timer_stop": (None, [c_void_p]),
    "aiol_io_new": (c_int, [c_void_p, c_int, IoFn, c_void_p, POINTER(c_void_p)]),
    "aiol_io_free": (None, [c_void_p]),
    "aiol_io_start": (c_int, [c_void_p, c_uint32]),
    "aiol_io_stop": (None, [c_void_p]),
    "aiol_queue_new": (c_int, [c_void_p, c_size_t, QueueDestroyFn, POINTER(c_void_p)]),
    "aiol_queue_free": (None, [c_void_p]),
    "aiol_queue_shutdown": (c_int, [c_void_p, c_uint32]),
    "aiol_queue_done": (c_int, [c_void_p]),
    "aiol_queue_unfinished": (c_uint64, [c_void_p]),
    "aiol_queue_getter_new": (c_int, [c_void_p, QueueEndFn, c_void_p, POINTER(c_void_p)]),
    "aiol_queue_getter_free": (c_int, [c_void_p]),
    "aiol_queue_getter_start": (c_int, [c_void_p]),
    "aiol_queue_getter_stop": (c_int, [c_void_p, POINTER(c_void_p)]),
    "aiol_queue_putter_new": (c_int, [c_void_p, QueueEndFn, c_void_p, POINTER(c_void_p)]),
    "aiol_queue_putter_free": (c_int, [c_void_p]),
    "aiol_queue_putter_start": (c_int, [c_void_p, c_void_p]),
    "aiol_queue_putter_stop": (c_int, [c_void_p]),
}

_lib = ctypes.CDLL(os.environ.get("AIOL_LIBRARY", "libaio-loop.so.0"))
for _name, (_result, _arguments) in PROTOTYPES.items():
    _function = getattr(_lib, _name)
    _function.restype, _function.argtypes = _result, _arguments


class Error(Exception):
    """A call of the library failed. `code` is -errno, or one of the library's own."""

    def __init__(self, code: int) -> None:
        name, message = _lib.aiol_error_name(code), _lib.aiol_error_message(code)
        super().__init__(f"{name.decode()}: {message.decode()}")
        self.code = code


def _check(code: int) -> int:
    if code < 0:
        raise Error(code)
    return code


# C knows an object of this module, and an item in a queue, by a number: the `data` of its
# callbacks. These tables say which it is, and keep it alive as long as C may call.
_numbers = itertools.count(1)
_objects: dict[int, _Object] = {}
_items: dict[int, Any] = {}


def _calls(function_type: Any) -> Callable[[Callable[..., None]], Any]:
    """The decorated function becomes the one C function for all callbacks of this type: it is given
    the object that `data` stands for, then what stands between the first argument and `data`."""

    def decorate(deliver: Callable[..., None]) -> Any:
        def entry(*arguments: Any) -> None:
            target = _objects[arguments[-1]]
            try:
                deliver(target, *arguments[1:-1])
            except BaseException as failure:  # C cannot pass it on, Loop.run() can
                target.loop.fail(failure)

        return function_type(entry)

    return decorate


@_calls(TimerFn)
def _on_timer(timer: Timer) -> None:
    timer.callback(timer)


@_calls(IoFn)
def _on_ready(watcher: Watcher, ready: int) -> None:
    watcher.callback(watcher, ready)


@_calls(QueueEndFn)
def _on_get(getter: Getter, status: int, item: int | None) -> None:
    getter.callback(getter, status, _items.pop(item) if item else None)


@_calls(QueueEndFn)
def _on_put(putter: Putter, status: int, item: int | None) -> None:
    putter.callback(putter, status, _items.pop(item) if item else None)


@QueueDestroyFn
def _on_destroy(item: int) -> None:
    del _items[item]


class _Pointer:
    """To what C has made, until it is closed: handed to C after that, it would crash."""

    def __init__(self) -> None:
        self._pointer = c_void_p()

    @property
    def pointer(self) -> c_void_p:
        if not self._pointer:
            raise ValueError(f"this {type(self).__name__} is closed")
        return self._pointer


class Loop(_Pointer):
    """Turns and calls back, in the thread that runs it."""

    def __init__(self) -> None:
        super().__init__()
        self._failure: BaseException | None = None
        _check(_lib.aiol_loop_new(None, byref(self._pointer)))

    def run(self) -> None:
        """Until there is nothing left to wait for, or stop(). What a callback raises comes out
        here, at the end of the turn."""
        result = _lib.aiol_loop_run(self.pointer)
        failure, self._failure = self._failure, None
        if failure:
            raise failure
        _check(result)

    def stop(self) -> None:
        _lib.aiol_loop_stop(self.pointer)

    def now(self) -> float:
        """The loop's clock, in seconds."""
        return _lib.aiol_loop_now_ns(self.pointer) / SECOND

    def fail(self, failure: BaseException) -> None:
        """Have run() end, and raise this; the first one counts."""
        self._failure = self._failure or failure
        self.stop()

    def close(self) -> None:
        """Close what was made on it and is still open, the latest first, and the loop."""
        for one in reversed([one for one in list(_objects.values()) if one.loop is self]):
            one.close()
        _check(_lib.aiol_loop_free(self._pointer))  # NULL is allowed
        self._pointer = c_void_p()

    def __enter__(self) -> Loop:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Object(_Pointer):
    """What C calls back, or would have to be told to forget: it lives until it is closed."""

    def __init__(self, loop: Loop, free: Any) -> None:
        super().__init__()
        self.loop = loop
        self._free = free
        self._number = next(_numbers)
        _objects[self._number] = self

    def close(self) -> None:
        """May be called anywhere, also in its own callback, and again."""
        pointer, self._pointer = self._pointer, c_void_p()
        self._free(pointer)
        _objects.pop(self._number, None)


def _nanoseconds(seconds: float) -> int:
    return max(0, round(seconds * SECOND))  # ctypes would pass -1 as the largest number


class Timer(_Object):
    def __init__(self, loop: Loop, callback: Callable[[Timer], None]) -> None:
        super().__init__(loop, _lib.aiol_timer_free)
        self.callback = callback
        _check(_lib.aiol_timer_new(loop.pointer, _on_timer, self._number, byref(self._pointer)))

    def start(self, seconds: float) -> None:
        """Call back once."""
        _check(_lib.aiol_timer_start(self.pointer, _nanoseconds(seconds)))

    def start_every(self, seconds: float, repeat: int = FIXED_RATE) -> None:
        _check(_lib.aiol_timer_start_every(self.pointer, _nanoseconds(seconds), repeat))

    def stop(self) -> None:
        _lib.aiol_timer_stop(self.pointer)


class Watcher(_Object):
    """Calls back as long as a descriptor is ready. Close it before the descriptor."""

    def __init__(self, loop: Loop, fd: int, callback: Callable[[Watcher, int], None]) -> None:
        super().__init__(loop, _lib.aiol_io_free)
        self.callback = callback
        _check(_lib.aiol_io_new(loop.pointer, fd, _on_ready, self._number, byref(self._pointer)))

    def start(self, events: int) -> None:
        _check(_lib.aiol_io_start(self.pointer, events))

    def stop(self) -> None:
        _lib.aiol_io_stop(self.pointer)


class Queue(_Object):
    """For any objects, from putters to getters."""

    def __init__(self, loop: Loop, capacity: int) -> None:
        super().__init__(loop, _lib.aiol_queue_free)
        _check(_lib.aiol_queue_new(loop.pointer, capacity, _on_destroy, byref(self._pointer)))

    def done(self) -> None:
        """One item that was got has been dealt with."""
        _check(_lib.aiol_queue_done(self.pointer))

    def unfinished(self) -> int:
        """How many items were put and are not done."""
        return _lib.aiol_queue_unfinished(self.pointer)

    def shutdown(self, how: int = QUEUE_DRAIN) -> None:
        _check(_lib.aiol_queue_shutdown(self.pointer, how))


class Getter(_Object):
    """Gets one item at each start: calls back with (self, 0, item), or (self, ECLOSED, None)."""

    def __init__(self, queue: Queue, callback: Callable[[Getter, int, Any], None]) -> None:
        super().__init__(queue.loop, _lib.aiol_queue_getter_free)
        self.callback = callback
        _check(_lib.aiol_queue_getter_new(queue.pointer, _on_get, self._number,
                                          byref(self._pointer)))

    def start(self) -> None:
        _check(_lib.aiol_queue_getter_start(self.pointer))

    def stop(self) -> Any:
        """Returns the item, if it was given one that has not yet been delivered."""
        item = c_void_p()
        if _lib.aiol_queue_getter_stop(self.pointer, byref(item)):
            return _items.pop(item.value)
        return None

    def close(self) -> None:
        if self._pointer:
            self.stop()  # it is not freed while it may hold an item
        super().close()


class Putter(_Object):
    """Puts one item at each start: calls back with (self, 0, None), or (self, ECLOSED, item)."""

    def __init__(self, queue: Queue, callback: Callable[[Putter, int, Any], None]) -> None:
        super().__init__(queue.loop, _lib.aiol_queue_putter_free)
        self.callback = callback
        self._item = 0
        _check(_lib.aiol_queue_putter_new(queue.pointer, _on_put, self._number,
                                          byref(self._pointer)))

    def start(self, item: Any) -> None:
        number = next(_numbers)
        _items[number] = item
        result = _lib.aiol_queue_putter_start(self.pointer, number)
        if result < 0:
            del _items[number]
            raise Error(result)
        self._item = number

    def stop(self) -> bool:
        """Returns whether the item that it was to put has not been put."""
        is_withdrawn = _lib.aiol_queue_putter_stop(self.pointer) == 0
        if is_withdrawn:
            del _items[self._item]
        return is_withdrawn

    def close(self) -> None:
        if self._pointer:
            self.stop()
        super().close()
