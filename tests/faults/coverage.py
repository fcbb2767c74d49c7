#!/usr/bin/env python3
"""Do the scenarios in this folder cover everything? Reports each public function (AIOL_API in
include/) that no file here calls, and each system call of the library's table (src/platform/sys.h)
that cannot be made to fail. Exit status 1 if there is any."""
import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent
NEVER_FAILS = {"clock_gettime"}


def code_of(path):
    """The text of a C file without comments, strings and preprocessor lines."""
    text = path.read_text()
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
    return re.sub(r"^\s*#(?:[^\n\\]|\\.|\\\n)*", "", text, flags=re.M)


def public_functions():
    for header in sorted(ROOT.glob("include/**/*.h")):
        for declaration in re.findall(r"\bAIOL_API\b([^;{]*)", code_of(header)):
            name = re.search(r"\b(\w+)\s*\(", declaration)
            if name:
                yield header.relative_to(ROOT), name.group(1)


def table_of_calls():
    code = code_of(ROOT / "src/platform/sys.h")
    table = re.search(r"struct aiol__sys\s*\{(.*?)\n\};", code, re.S)
    return re.findall(r"\(\*(\w+)\)\s*\(", table.group(1))


def main():
    sources = "\n".join(code_of(path) for path in sorted(FOLDER.glob("*.[ch]")))
    called = set(re.findall(r"\b(\w+)\s*\(", sources))
    functions = list(public_functions())
    calls = table_of_calls()
    missing = [f"{header}: {name}() is not in any scenario" for header, name in functions
               if name not in called]
    missing += [f"src/platform/sys.h: {name}() is not made to fail" for name in calls
                if name not in NEVER_FAILS and f"aiol__sys.{name} = failing_{name};" not in sources]
    print("\n".join(missing) if missing else
          f"{len(functions)} public functions and {len(calls)} system calls are covered")
    return 1 if missing or not functions or not calls else 0


sys.exit(main())
