"""The bindings in examples/bindings: what they say of the library is what its headers say, and they
behave as a program may expect. What they print is compared by run.sh."""

import ctypes
import os
import re
import subprocess
import sys
import unittest

import prototypes
from support import ROOT, constant, headers

BINDINGS = ROOT / "examples" / "bindings"

sys.path.insert(0, str(BINDINGS / "python"))
import aiol  # noqa: E402 pylint: disable=wrong-import-position


def plain(kind):
    """A pointer to a struct is an address, whether its fields are known or not."""
    target = getattr(kind, "_type_", None)
    is_struct = isinstance(target, type) and issubclass(target, ctypes.Structure)
    return ctypes.c_void_p if is_struct else kind


class PythonModule(unittest.TestCase):
    source = (BINDINGS / "python" / "aiol.py").read_text()

    def test_prototypes(self):
        for name, (result, arguments) in aiol.PROTOTYPES.items():
            with self.subTest(name):
                right_result, right_arguments = headers.functions[name]
                self.assertEqual(result, right_result)
                self.assertEqual(arguments, [plain(kind) for kind in right_arguments])

    def test_what_is_called_has_a_prototype(self):
        self.assertEqual(set(re.findall(r"_lib\.(\w+)", self.source)), set(aiol.PROTOTYPES))

    def test_constants(self):
        own = {name: value for name, value in vars(aiol).items()
               if name.isupper() and isinstance(value, int)}
        self.assertIn("ECLOSED", own)
        self.assertEqual(own, {name: constant[f"AIOL_{name}"] for name in own})


class PythonObjects(unittest.TestCase):
    def setUp(self):
        self.loop = aiol.Loop()
        self.addCleanup(self.loop.close)
        self.addCleanup(self.assert_nothing_is_kept)

    def assert_nothing_is_kept(self):
        self.loop.close()
        self.assertEqual(aiol._objects, {})
        self.assertEqual(aiol._items, {})

    def test_an_exception_comes_out_of_run(self):
        timer = aiol.Timer(self.loop, lambda timer: {}["key"])
        timer.start_every(0.001)
        for _ in range(2):
            with self.assertRaises(KeyError):
                self.loop.run()

    def test_a_delay_below_zero_is_none(self):
        fired = []
        timer = aiol.Timer(self.loop, fired.append)
        timer.start(-1)
        self.loop.run()
        self.assertEqual(fired, [timer])

    def test_errors(self):
        watcher = aiol.Watcher(self.loop, -1, lambda watcher, ready: None)
        with self.assertRaisesRegex(aiol.Error, "EBADF: ") as caught:
            watcher.start(aiol.READABLE)
        self.assertEqual(aiol._lib.aiol_error_name(caught.exception.code), b"EBADF")

    def test_what_is_closed_is_refused(self):
        timer = aiol.Timer(self.loop, lambda timer: None)
        timer.close()
        timer.close()
        with self.assertRaisesRegex(ValueError, "this Timer is closed"):
            timer.start(1)
        self.loop.close()
        with self.assertRaisesRegex(ValueError, "this Loop is closed"):
            self.loop.run()

    def test_closing_the_loop_closes_all(self):
        queue = aiol.Queue(self.loop, 1)
        aiol.Timer(self.loop, lambda timer: None).start(1)
        for item in ("in the queue", "waiting"):
            aiol.Putter(queue, lambda *_: None).start(item)
        aiol.Getter(aiol.Queue(self.loop, 1), lambda *_: None).start()
        self.assertEqual(len(aiol._items), 2)

    def test_refused_items_come_back(self):
        told = []
        queue = aiol.Queue(self.loop, 0)
        aiol.Putter(queue, lambda putter, status, item: told.append((status, item))).start("late")
        queue.shutdown()
        with self.assertRaisesRegex(aiol.Error, "AIOL_ECLOSED"):
            aiol.Putter(queue, lambda *_: None).start("later")
        self.loop.run()
        self.assertEqual(told, [(aiol.ECLOSED, "late")])

    def test_what_is_stopped_gives_back(self):
        queue = aiol.Queue(self.loop, 1)
        getter = aiol.Getter(queue, lambda *_: None)
        getter.start()
        putter = aiol.Putter(queue, lambda *_: None)
        putter.start("handed over")
        self.assertEqual(getter.stop(), "handed over")
        self.assertIsNone(getter.stop())
        self.assertFalse(putter.stop())  # the queue had taken it
        aiol.Putter(queue, lambda *_: None).start("fills it")
        putter.start("waits")
        self.assertTrue(putter.stop())


class LuaModule(unittest.TestCase):
    source = (BINDINGS / "luajit" / "aiol.lua").read_text()
    declarations = prototypes.statements_of(re.search(r"cdef \[\[(.*?)\]\]", source, re.DOTALL)[1])

    def test_declarations(self):
        right = {statement.removeprefix("AIOL_API ") for statement in headers.statements}
        right |= {f"struct {name}" for name in headers.structs}
        self.assertEqual([one for one in self.declarations if one not in right], [])

    def test_what_is_called_is_declared(self):
        declared = {name for one in self.declarations for name in re.findall(r"(\w+)\(", one)}
        self.assertEqual(set(re.findall(r"\bC\.(\w+)", self.source)), declared)

    def test_constants(self):
        table = re.search(r"local aiol = \{(.*?)\}", self.source, re.DOTALL)[1]
        own = {name: int(value) for name, value in re.findall(r"(\w+) = (-?\d+)", table)}
        self.assertIn("ECLOSED", own)
        self.assertEqual(own, {name: constant[f"AIOL_{name}"] for name in own})


class LuaObjects(unittest.TestCase):
    def run_lua(self, program):
        """What a program prints, which has a loop."""
        whole = f"aiol = require 'aiol'\nloop = aiol.loop()\n{program}\nloop:close()\n"
        ran = subprocess.run(
            ["luajit", "-"], input=whole, text=True, capture_output=True, timeout=60, check=False,
            env=os.environ | {"LUA_PATH": str(BINDINGS / "luajit" / "?.lua")})
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        return ran.stdout.splitlines()

    def test_an_error_comes_out_of_run(self):
        self.assertRegex(self.run_lua("""
            loop:timer(function() error "from a callback" end):start(0)
            print(pcall(loop.run, loop))
        """)[0], r"^false.*from a callback$")

    def test_a_delay_below_zero_is_none(self):
        self.run_lua("""
            loop:timer(function() end):start(-1)
            loop:run()
        """)

    def test_errors(self):
        self.assertRegex(self.run_lua("""
            local watcher = loop:watcher(-1, function() end)
            print(pcall(watcher.start, watcher, aiol.READABLE))
        """)[0], r"^false.*EBADF: ")

    def test_what_is_closed_is_refused(self):
        self.assertRegex(self.run_lua("""
            local timer = loop:timer(function() end)
            timer:close()
            timer:close()
            print(pcall(function() timer:start(1) end))
        """)[0], "^false.*start: this object is closed")

    def test_closing_the_loop_closes_all(self):
        self.run_lua("""
            local queue = loop:queue(1)
            loop:timer(function() end):start(1)
            queue:putter(function() end):start "in the queue"
            queue:putter(function() end):start "waiting"
            loop:queue(1):getter(function() end):start()
        """)

    def test_hot_callbacks(self):
        self.assertEqual(self.run_lua("""
            local sum = 0
            local queue = loop:queue(2)
            local getter = queue:getter(function(self, _, item)
                sum = sum + item.number
                self:start()
            end)
            local number = 0
            local putter = queue:putter(function(self)
                number = number + 1
                if number <= 5000 then self:start {number = number} end
            end)
            getter:start()
            putter:start {number = 0}
            loop:run()
            print(sum)
        """), ["12502500"])

    def test_hot_calls_that_come_to_call_back(self):
        """They must not be compiled, even if they never called back while they became hot."""
        for program in (
            "if turn > 900 then timer:start(0) end loop:run()",
            "if turn > 900 then putter:start(turn) end queue:shutdown(aiol.QUEUE_NOW)",
            "if turn > 900 then putter:start(turn) end queue:close()",
        ):
            with self.subTest(program):
                self.run_lua(f"""
                    local timer = loop:timer(function() end)
                    for turn = 1, 1000 do
                        local queue = loop:queue(1)
                        local putter = queue:putter(function() end)
                        {program}
                        putter:close()
                        queue:close()
                    end
                """)
