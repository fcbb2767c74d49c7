"""The headers say all that a binding needs, and the library is as they say."""

import ctypes
import os
import pathlib
import re
import tempfile
import unittest
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p

import prototypes
from support import ROOT, constant, headers, lib, minus, null, options


def headers_with(text: str) -> prototypes.Headers:
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "aiol.h").write_text(text)
        return prototypes.Headers(pathlib.Path(folder))


class Parser(unittest.TestCase):
    def test_every_header_is_read(self):
        written = (ROOT / "include").rglob("*.h")
        self.assertEqual(len(headers.text), sum(len(file.read_text()) for file in written))

    def test_every_declaration_is_read(self):
        marks = re.findall(r"^AIOL_API ", headers.text, re.MULTILINE)
        self.assertEqual(len(headers.functions), len(marks))
        self.assertGreater(len(marks), 100)

    def test_types(self):
        functions, callbacks = headers.functions, headers.callbacks
        loop_options = POINTER(headers.structs["aiol_loop_options"])
        self.assertEqual(functions["aiol_version"], (c_uint32, []))
        self.assertEqual(functions["aiol_error_name"], (c_char_p, [c_int]))
        self.assertEqual(functions["aiol_loop_stop"], (None, [c_void_p]))
        self.assertEqual(functions["aiol_loop_current"], (c_void_p, []))
        self.assertEqual(functions["aiol_loop_new"], (c_int, [loop_options, POINTER(c_void_p)]))
        self.assertEqual(functions["aiol_timer_start_every"],
                         (c_int, [c_void_p, c_uint64, c_uint32]))
        self.assertEqual(functions["aiol_io_new"], (c_int, [
            c_void_p, c_int, callbacks["aiol_io_fn"], c_void_p, POINTER(c_void_p)]))
        self.assertEqual(functions["aiol_sim_stream_pair"][1][2], POINTER(c_int))
        self.assertEqual(callbacks["aiol_io_fn"],
                         ctypes.CFUNCTYPE(None, c_void_p, c_uint32, c_void_p))

    def test_constants(self):
        self.assertEqual(constant["AIOL_ECLOSED"], -10001)
        self.assertEqual(constant["AIOL_READABLE"], 1)
        self.assertEqual(constant["AIOL_MINUTE"], 60 * 10**9)
        self.assertEqual(constant["AIOL_NEVER"], 2**64 - 1)
        self.assertEqual(constant["AIOL_CLOCK_VIRTUAL"], 1)

    def test_what_it_does_not_know_is_refused(self):
        for text in ("AIOL_API void f(struct pair pair);\n", "AIOL_API int f(int count, ...);\n",
                     "AIOL_API long double f(void);\n", "AIOL_API enum colour f(void);\n",
                     "extern int counter;\n", "struct bits {\n    unsigned one : 1;\n};\n",
                     "AIOL_API void f(void)", "#define AIOL_SIZE sizeof(int)\n"):
            with self.subTest(text), self.assertRaises((ValueError, NameError)):
                headers_with(text)


class ForEveryLanguage(unittest.TestCase):
    """What the API promises to those who have no C compiler."""

    embeddable = sorted(name for name in headers.private if not name.startswith("aiol__"))

    def test_every_function_is_exported(self):
        plain = ctypes.CDLL(os.environ["AIOL_LIBRARY"])
        self.assertEqual([name for name in headers.functions if not hasattr(plain, name)], [])

    def test_what_callers_embed_has_a_size_or_a_twin(self):
        for name in self.embeddable:
            sized = {f"{name}_size", f"{name}_align"}
            twin = {f"{name}_new", f"{name}_free"}
            with self.subTest(name):
                self.assertTrue(sized <= set(headers.functions) or twin <= set(headers.functions))

    def test_what_is_made_can_be_freed(self):
        for name in headers.functions:
            if made := re.fullmatch(r"(\w+)_new", name):
                with self.subTest(name):
                    ends = {f"{made[1]}_free", f"{made[1]}_release"}
                    self.assertTrue(ends & set(headers.functions))

    def test_sizes_are_those_of_the_headers(self):
        for name in self.embeddable:
            if f"{name}_size" in headers.functions:
                with self.subTest(name):
                    struct = headers.structs[name]
                    self.assertEqual(getattr(lib, f"{name}_size")(), ctypes.sizeof(struct))
                    self.assertEqual(getattr(lib, f"{name}_align")(), ctypes.alignment(struct))

    def test_every_callback_has_data(self):
        for name, callback in headers.callbacks.items():
            with self.subTest(name):
                self.assertIs(callback._argtypes_[-1], c_void_p)

    def test_options_begin_with_their_size(self):
        found = [name for name in headers.structs if name.endswith("_options")]
        self.assertIn("aiol_loop_options", found)
        for name in found:
            with self.subTest(name):
                self.assertEqual(headers.structs[name]._fields_[0], ("size", c_size_t))


class Options(unittest.TestCase):
    """Each field is where the library looks for it."""

    def make_loop(self, made):
        loop = c_void_p()
        result = lib.aiol_loop_new(made, loop)
        if result == 0:
            self.addCleanup(lib.aiol_loop_free, loop)
        else:
            self.assertIsNone(loop.value)
        return result, loop

    def test_none(self):
        result, loop = self.make_loop(None)
        self.assertEqual(result, 0)
        self.assertGreaterEqual(lib.aiol_loop_backend_fd(loop), 0)

    def test_all_zero(self):
        self.assertEqual(self.make_loop(options("aiol_loop_options"))[0], 0)

    def test_clock(self):
        result, loop = self.make_loop(
            options("aiol_loop_options", clock=constant["AIOL_CLOCK_VIRTUAL"]))
        self.assertEqual(result, 0)
        self.assertEqual(lib.aiol_loop_now_ns(loop), 0)
        self.assertEqual(lib.aiol_loop_backend_fd(loop), minus("ENOTSUP"))

    def test_values_that_are_refused(self):
        for wrong in ({"clock": 2}, {"max_events_per_turn": 2**24 + 1}, {"reserved": 1}):
            with self.subTest(wrong):
                self.assertEqual(self.make_loop(options("aiol_loop_options", **wrong))[0],
                                 minus("EINVAL"))
        without_size = headers.structs["aiol_loop_options"]()
        self.assertEqual(self.make_loop(without_size)[0], minus("EINVAL"))

    def test_seed(self):
        def first_number(seed):
            _, loop = self.make_loop(options(
                "aiol_loop_options", clock=constant["AIOL_CLOCK_VIRTUAL"], seed=seed))
            return lib.aiol_sim_random(loop)

        self.assertEqual(first_number(7), first_number(7))
        self.assertNotEqual(first_number(7), first_number(8))

    def test_options_of_a_later_version(self):
        class Later(ctypes.Structure):
            _fields_ = headers.structs["aiol_loop_options"]._fields_ + [("wish", c_uint64)]

        later = Later(size=ctypes.sizeof(Later))
        as_known = POINTER(headers.structs["aiol_loop_options"])
        self.assertEqual(self.make_loop(ctypes.cast(ctypes.byref(later), as_known))[0], 0)
        later.wish = 1
        self.assertEqual(self.make_loop(ctypes.cast(ctypes.byref(later), as_known))[0],
                         minus("EINVAL"))

    def test_an_allocator_of_python_functions(self):
        libc = ctypes.CDLL(None)
        libc.malloc.argtypes, libc.malloc.restype = [c_size_t], c_void_p
        libc.realloc.argtypes, libc.realloc.restype = [c_void_p, c_size_t], c_void_p
        libc.free.argtypes, libc.free.restype = [c_void_p], None
        held = set()
        contexts = set()

        def allocate(context, size_bytes):
            contexts.add(context)
            memory = libc.malloc(size_bytes)
            held.add(memory)
            return memory

        def reallocate(context, memory, size_bytes):
            contexts.add(context)
            held.discard(memory)
            memory = libc.realloc(memory, size_bytes)
            held.add(memory)
            return memory

        def release(context, memory):
            contexts.add(context)
            held.remove(memory)
            libc.free(memory)

        struct = headers.structs["aiol_allocator"]
        kinds = dict(struct._fields_)
        allocator = struct(kinds["allocate"](allocate), kinds["reallocate"](reallocate),
                           kinds["release"](release), 1234)
        loop, queue = c_void_p(), c_void_p()
        made = options("aiol_loop_options", allocator=ctypes.pointer(allocator))
        self.assertEqual(lib.aiol_loop_new(made, loop), 0)
        before = len(held)
        unbounded = constant["AIOL_QUEUE_UNBOUNDED"]
        self.assertEqual(
            lib.aiol_queue_new(loop, unbounded, null("aiol_queue_destroy_fn"), queue), 0)
        for item in range(1, 1000):
            self.assertEqual(lib.aiol_queue_put_nowait(queue, item), 0)
        self.assertGreater(len(held), before)
        lib.aiol_queue_free(queue)
        self.assertEqual(lib.aiol_loop_free(loop), 0)
        self.assertEqual(held, set())
        self.assertEqual(contexts, {1234})


class Texts(unittest.TestCase):
    def test_version(self):
        major, minor, patch = (constant[f"AIOL_VERSION_{part}"]
                               for part in ("MAJOR", "MINOR", "PATCH"))
        self.assertEqual(lib.aiol_version(), major * 1000000 + minor * 1000 + patch)

    def test_errors(self):
        self.assertEqual(lib.aiol_error_name(minus("ECONNRESET")), b"ECONNRESET")
        self.assertEqual(lib.aiol_error_name(constant["AIOL_ECLOSED"]), b"AIOL_ECLOSED")
        self.assertEqual(lib.aiol_error_name(0), b"OK")
        self.assertEqual(lib.aiol_error_name(-99999), b"UNKNOWN")
        self.assertEqual(lib.aiol_error_message(minus("ECONNRESET")), b"connection reset by peer")
        self.assertEqual(lib.aiol_first_error(minus("ECANCELED"), minus("EIO")), minus("EIO"))

    def test_every_code_has_a_name(self):
        for name, value in constant.items():
            if re.match(r"AIOL_E[A-Z]+$", name) and value < 0:
                self.assertEqual(lib.aiol_error_name(value).decode(), name)
