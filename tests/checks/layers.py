#!/usr/bin/env python3
"""A layer of src/ includes only what stands under it, so that it can be read, tested and linked
without the rest: a program of callbacks pulls in no tasks. And what differs between systems and
processors is a file that CMake picks, so an #if on one stands only in src/platform and in
src/task/context*."""

import pathlib
import re
import sys

MAY_INCLUDE = {
    "base": "",
    "platform": "base",
    "reactor": "base platform",
    "queue": "base platform reactor",
    "os": "base platform reactor",
    "net": "base platform reactor os",
    "task": "base platform reactor",
    "await": "base platform reactor queue os net task",
    "debug": "base platform reactor queue os net task await",
}
SYSTEM = re.compile(
    r"#\s*(if|ifdef|ifndef|elif)\b.*\b("
    r"_*(linux|gnu_linux|APPLE|MACH|\w*BSD\w*|DragonFly|sun|WIN\w+|unix|ANDROID|CYGWIN|GLIBC)_*"
    r"|_*(x86_64|i[3-6]86|amd64|arm\w*|aarch64|riscv\w*|powerpc\w*|s390x?|mips\w*|ILP32|LP64)_*"
    r")\b")

root = pathlib.Path(__file__).resolve().parents[2]
failed = False


def complain(file, number, message):
    global failed
    failed = True
    print(f"{file.relative_to(root)}:{number}: {message}")


for file in sorted(root.glob("src/**/*.[chS]")):
    layer = file.relative_to(root).parts[1]
    if layer not in MAY_INCLUDE:
        complain(file, 1, f"src/{layer} is not in the table of layers")
        continue
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if included := re.match(r'#\s*include\s*"([^"]*)"', line):
            target = included[1].split("/")[0]
            if not (root / "src" / included[1]).is_file():
                complain(file, number, f'there is no "{included[1]}" in src/')
            elif target not in [layer, *MAY_INCLUDE[layer].split()]:
                complain(file, number, f"{layer} may not include {target}")
        if SYSTEM.match(line) and layer != "platform" and not (
                layer == "task" and file.name.startswith("context")):
            complain(file, number, "a condition on a system or processor belongs in src/platform")

sys.exit(failed)
