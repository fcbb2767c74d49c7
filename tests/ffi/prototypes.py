"""Reads the public headers, and makes of them what ctypes must know of each function: the types of
its arguments and of its result. Nothing is compiled.

The headers are regular, since CI formats them and compiles each alone. So a few patterns read them,
and whatever fits none of them is an error and is not passed over: a struct by value or an argument
list without an end (which no binding can be sure to call) stops the tests.
"""

from __future__ import annotations

import ctypes
import pathlib
import re
from typing import Any

SCALARS: dict[str, Any] = {
    "void": None,
    "char": ctypes.c_char,
    "int": ctypes.c_int,
    "uint8_t": ctypes.c_uint8,
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t,
    "socklen_t": ctypes.c_uint32,
}
LIMITS = {"UINT64_MAX": 2**64 - 1, "SIZE_MAX": ctypes.c_size_t(-1).value}
NO_CONSTANTS = {"AIOL_API", "AIOL_BEGIN_DECLARATIONS", "AIOL_END_DECLARATIONS"}

VARIABLE = re.compile(r"(?:const )?(?P<base>(?:struct )?\w+)(?: (?P<stars>\**)(?P<name>\w*))?"
                      r"(?:\[(?P<count>\d+)\])?")
FUNCTION_POINTER = re.compile(r"(?P<result>.*?) ?\(\*(?P<name>\w+)\)\((?P<parameters>.*)\)")
FUNCTION = re.compile(r"AIOL_API (?P<result>.*?)(?P<name>\w+)\((?P<parameters>.*)\)")
BODY = re.compile(r"(?P<kind>struct|enum) (?P<name>\w+) \{ (?P<body>.*) \}")


def statements_of(text: str) -> list[str]:
    """The declarations of a C text, without comments, in one line each and with single spaces."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"^#.*|^AIOL_(BEGIN|END)_DECLARATIONS", "", text, flags=re.MULTILINE)
    text = " ".join(text.split())
    statements = re.findall(r"(?:[^;{]|\{[^}]*\})+;", text)
    if "".join(statements).replace(" ", "") != text.replace(" ", ""):
        raise ValueError(f"a declaration without an end: ...{text[-80:]}")
    return [statement.strip(" ;") for statement in statements]


class Headers:
    """What the headers in a folder declare."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.text = ""  # of all headers, in the order in which they include each other
        self.constants: dict[str, int] = {}  # by #define and by enum
        self.callbacks: dict[str, Any] = {}  # function types: made by ctypes.CFUNCTYPE
        self.structs: dict[str, type[ctypes.Structure]] = {}
        self.functions: dict[str, tuple[Any, list[Any]]] = {}  # the result's type, the arguments'

        self._read("aiol.h", set())
        # Callers see these as memory of so many bytes; the others have fields for them to fill.
        self.private = set(re.findall(r"struct (\w+) \{\s*/\* private \*/", self.text))
        for match in re.finditer(r"^#define (\w+) (.+?) *(?:/\*.*)?$", self.text, re.MULTILINE):
            if match[1] not in NO_CONSTANTS:
                self.constants[match[1]] = self._value(match[2])
        self.statements = statements_of(self.text)
        for statement in self.statements:
            self._declare(statement)

    def load(self, path: str) -> ctypes.CDLL:
        """The shared library, every function ready to be called."""
        library = ctypes.CDLL(path)
        for name, (result, parameters) in self.functions.items():
            function = getattr(library, name)
            function.restype = result
            function.argtypes = parameters
        return library

    def _read(self, name: str, seen: set[str]) -> None:
        seen.add(name)
        text = (self.folder / name).read_text()
        for included in re.findall(r"#include <(aiol/\w+\.h)>", text):
            if included not in seen:
                self._read(included, seen)
        self.text += text

    def _value(self, expression: str) -> int:
        plain = re.sub(r"UINT(?:32|64)_C\((\d+)\)", r"\1", expression)
        return eval(plain, {"__builtins__": {}}, LIMITS | self.constants)

    def _declare(self, statement: str) -> None:
        if match := FUNCTION.fullmatch(statement):
            self.functions[match["name"]] = self._signature(match)
        elif match := FUNCTION_POINTER.fullmatch(statement.removeprefix("typedef ")):
            self.callbacks[match["name"]] = self._callback(match)
        elif match := BODY.fullmatch(statement):
            if match["kind"] == "enum":
                for member in match["body"].removesuffix(",").split(","):
                    name, value = member.split("=")  # every value is written down
                    self.constants[name.strip()] = int(value)
            else:
                self._struct(match["name"], match["body"])
        elif not re.fullmatch(r"struct \w+", statement):
            raise ValueError(f"not understood: {statement}")

    def _struct(self, name: str, body: str) -> None:
        fields = []
        for field in filter(None, map(str.strip, body.split(";"))):
            if match := FUNCTION_POINTER.fullmatch(field):
                fields.append((match["name"], self._callback(match)))
            else:
                kind = self._type(field, is_field=True)
                fields.append((VARIABLE.fullmatch(field)["name"], kind))
        self.structs[name] = type(name, (ctypes.Structure,), {"_fields_": fields})

    def _signature(self, match: re.Match[str]) -> tuple[Any, list[Any]]:
        parameters = match["parameters"]
        if parameters == "void":
            return self._type(match["result"]), []
        return self._type(match["result"]), [self._type(one) for one in parameters.split(", ")]

    def _callback(self, match: re.Match[str]) -> Any:
        result, parameters = self._signature(match)
        return ctypes.CFUNCTYPE(result, *parameters)

    def _type(self, text: str, is_field: bool = False) -> Any:
        """The type of a variable, named or not: `const void *data`, `int ret_fds[2]`."""
        match = VARIABLE.fullmatch(text.strip())
        if not match:
            raise ValueError(f"not understood: {text}")
        base, stars = match["base"], len(match["stars"] or "")
        if match["count"]:
            element = self._type(base)
            return element * int(match["count"]) if is_field else ctypes.POINTER(element)
        if stars:
            target = self._target(base)
            for _ in range(stars - 1):
                target = ctypes.POINTER(target)
            return target
        if base.startswith("struct ") and is_field:
            return self.structs[base.removeprefix("struct ")]
        if base not in SCALARS and base not in self.callbacks:
            raise ValueError(f"no type that every language can pass: {text}")
        return SCALARS[base] if base in SCALARS else self.callbacks[base]

    def _target(self, base: str) -> Any:
        """A pointer to this: an address only, but where the caller is to fill or read what is
        behind it."""
        name = base.removeprefix("struct ")
        if base == "char":
            return ctypes.c_char_p
        if base in SCALARS and base != "void":
            return ctypes.POINTER(SCALARS[base])
        if name in self.structs and name not in self.private and not name.startswith("aiol__"):
            return ctypes.POINTER(self.structs[name])
        return ctypes.c_void_p
