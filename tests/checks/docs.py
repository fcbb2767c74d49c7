#!/usr/bin/env python3
"""The headers are the reference, so above each function of include/ stands a comment that says
which thread may call it ("Thread:") and what comes back ("Returns", or "Cannot fail"). And what is
read is kept readable: files up to 500 lines, lines up to 100 columns, functions of src/ up to 70
lines."""

import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
failed = False


def complain(file, number, message):
    global failed
    failed = True
    print(f"{file.relative_to(root)}:{number}: {message}")


def check_comments(file, lines):
    comment = ""  # that ended on the line before, or is being read
    for number, line in enumerate(lines, 1):
        if line.startswith("/*"):
            comment = ""
        if line.startswith(("/*", " *")):
            comment += line
        elif line.startswith("AIOL_API"):
            name = re.search(r"(\w+)\(|$", " ".join(lines[number - 1:number + 1]))[1]
            for word in ("Thread:", "Returns|Cannot fail"):
                if not re.search(word, comment):
                    complain(file, number, f"the comment above {name} lacks {word}")
        else:
            comment = ""


def check_functions(file, lines):
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            if number - start - 1 > 70:
                complain(file, start - 1, f"a function of {number - start - 1} lines")
            start = None


for folder in ("include", "src", "tests", "examples", ".ci"):
    for file in sorted((root / folder).rglob("*")):
        if not (file.is_file() and re.search(r"\.([chS]|sh|py|txt)$|^run$", file.name)):
            continue
        lines = file.read_text().splitlines()
        if len(lines) > 500:
            complain(file, 501, f"{len(lines)} lines, 500 are allowed")
        for number, line in enumerate(lines, 1):
            if len(line) > 100:
                complain(file, number, f"{len(line)} columns, 100 are allowed")
        if folder == "include":
            check_comments(file, lines)
        if folder == "src" and file.suffix == ".c":
            check_functions(file, lines)

sys.exit(failed)
