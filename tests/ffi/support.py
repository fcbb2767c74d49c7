"""What the tests share: the library with every function ready to be called, and a test case that
has a loop of its own."""

from __future__ import annotations

import ctypes
import errno
import os
import pathlib
import select
import threading
import unittest
from typing import Any, Callable

import prototypes

ROOT = pathlib.Path(__file__).resolve().parents[2]

headers = prototypes.Headers(ROOT / "include")
lib = headers.load(os.environ["AIOL_LIBRARY"])
constant = headers.constants

MILLISECOND = constant["AIOL_MILLISECOND"]
NEVER = constant["AIOL_NEVER"]
ECLOSED = constant["AIOL_ECLOSED"]


class Object(ctypes.c_void_p):
    """A pointer to what an aiol_<kind>_new() made."""

    kind = ""

    def free(self) -> int | None:
        """Free it, once: freeing NULL is allowed. Some kinds may refuse to."""
        verb = "free" if f"aiol_{self.kind}_free" in headers.functions else "release"
        result = getattr(lib, f"aiol_{self.kind}_{verb}")(self)
        if not result:
            self.value = None
        return result


def null(callback_type: str) -> Any:
    """No function where a function of this type may be given."""
    return headers.callbacks[callback_type]()


def memory(struct: str) -> ctypes.Array[ctypes.c_char]:
    """Memory for a struct that the caller embeds, of which only the size and alignment are known.
    """
    block = ctypes.create_string_buffer(getattr(lib, f"{struct}_size")())
    if ctypes.addressof(block) % getattr(lib, f"{struct}_align")():
        raise MemoryError(f"not aligned for {struct}")
    return block


def options(struct: str, **values: Any) -> ctypes.Structure:
    """Options with these values; the rest is zero."""
    kind = headers.structs[struct]
    return kind(size=ctypes.sizeof(kind), **values)


class LoopCase(unittest.TestCase):
    """A test with a loop. What it makes with make() is freed at its end, then the loop, which
    refuses when anything is left on it."""

    clock = "AIOL_CLOCK_VIRTUAL"  # an hour takes microseconds

    def setUp(self) -> None:
        self.kept: list[Any] = []  # C may call these as long as the test lasts
        self.failures: list[BaseException] = []
        self.loop = Object()
        made = options("aiol_loop_options", clock=constant[self.clock], seed=1)
        self.assertEqual(lib.aiol_loop_new(made, self.loop), 0)
        self.addCleanup(self.free_loop)

    def free_loop(self) -> None:
        self.assertEqual(lib.aiol_loop_free(self.loop), 0, "something is left on the loop")
        self.raise_failure()

    def make(self, kind: str, *arguments: Any) -> Object:
        """What aiol_<kind>_new() makes of these arguments."""
        made = Object()
        made.kind = kind
        self.assertEqual(getattr(lib, f"aiol_{kind}_new")(*arguments, made), 0)
        self.addCleanup(made.free)
        return made

    def callback(self, kind: str, function: Callable[..., Any]) -> Any:
        """`function` as a C function of this type. ctypes would print an exception and go on: here
        it stops the loop, and is raised where run() was called."""

        def guarded(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except BaseException as failure:  # pylint: disable=broad-except
                self.failures.append(failure)
                lib.aiol_loop_stop(self.loop)
                return 0

        pointer = headers.callbacks[kind](guarded)
        self.kept.append(pointer)
        return pointer

    def in_thread(self, function: Callable[..., Any], *arguments: Any) -> threading.Thread:
        """Run it in a thread, whose failure is the test's."""

        def guarded() -> None:
            try:
                function(*arguments)
            except BaseException as failure:  # pylint: disable=broad-except
                self.failures.append(failure)

        thread = threading.Thread(target=guarded)
        thread.start()
        return thread

    def run_loop(self) -> int:
        result = lib.aiol_loop_run(self.loop)
        self.raise_failure()
        return result

    def raise_failure(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


def minus(name: str) -> int:
    """-errno by name, as the library returns it: minus("EBUSY")."""
    return -getattr(errno, name)


def wait_readable(fd: int, timeout_ns: int) -> None:
    """What the loop of another library does while ours has nothing to do."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.poll(None if timeout_ns == NEVER else -(-timeout_ns // MILLISECOND))
