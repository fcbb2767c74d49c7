"""Runs the participants of the benchmark in turns, and prints what they measured; run.sh has the
options. Each participant is a process that measures one round for each line it is sent, so that all
of a workload are warm at the same time, and what the machine does meanwhile hits all alike."""
import argparse
import os
import re
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import report

# Workload: its group, its cases, and how many rounds it takes the time for (None: as many as all).
WORKLOADS = {
    "dispatch": ("io", ["100x1", "9900x1000"], None),
    "register": ("io", ["1000"], None),
    "timer_startstop": ("timers", ["1M"], None),
    "timer_rearm": ("timers", ["100k"], None),
    "timer_fire": ("timers", ["1M"], 5),
    "timer_random": ("timers", ["1M"], 5),
    "ready": ("turns", ["1000"], None),
    "post": ("turns", ["-"], None),
    "pingpong": ("turns", ["-"], None),
    "switch": ("tasks", ["-"], None),
    "yield": ("tasks", ["100"], None),
    "spawn": ("tasks", ["-"], None),
    "spawn_many": ("tasks", ["100k"], None),
    "queue": ("tasks", ["128"], None),
    "queue_unbuffered": ("tasks", ["0"], None),
    "future": ("tasks", ["-"], None),
    "echo": ("echo", ["1", "50", "1000"], None),
    "echo16k": ("echo", ["50"], None),
    "idle_memory": ("io", ["10k"], 3),
    "parked_memory": ("tasks", ["1M"], 1),
}
WHO = ["floor", "aiol", "aiol_task", "libuv", "libev", "libevent", "asio", "st", "go"]
PACKAGES = {"libuv": "libuv1-dev", "libev": "libev-dev", "libevent": "libevent-dev",
            "asio": "libasio-dev", "st": "libst-dev", "go": "golang-go"}
# The floor against itself: how far two rows of the same run may lie apart without meaning anything.
AGAIN = "floor_again"
MOST_SECONDS = 100 # for a round
PROCESSOR = max(os.sched_getaffinity(0))


def program(folder, group, who):
    return os.path.join(folder, f"bench_{group}_{'floor' if who == AGAIN else who}")


def child_of(pid):
    """The program that a tracer has started; or the tracer, if it has become that program."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = file.read().split()
    return int(children[0]) if children else pid


class Participant:
    """One process, or for echo two: a server, and the client that measures it."""

    def __init__(self, folder, workload, case, who, through=()):
        group = WORKLOADS[workload][0]
        command = [*through, program(folder, group, who), workload, case]
        self.server = None
        if group == "echo":
            self.server = self.start(command)
            port = self.server.stdout.readline().strip()
            if not port:
                raise RuntimeError(f"{who} does not serve {workload} {case}")
            self.server_pid = child_of(self.server.pid) if through else self.server.pid
            command = [os.path.join(folder, "bench_echo_client"), workload, case, port,
                       str(self.server_pid)]
        self.process = self.start(command)

    @staticmethod
    def start(command):
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                bufsize=1,
                                preexec_fn=lambda: os.sched_setaffinity(0, {PROCESSOR}))

    def round(self):
        """{(metric, unit): (operations, value an operation)}"""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        found = {}
        if not select.select([self.process.stdout], [], [], MOST_SECONDS)[0]:
            raise RuntimeError("a participant hangs: " + " ".join(self.process.args))
        while line := self.process.stdout.readline().strip():
            metric, unit, operations, total = line.split()
            found[metric, unit] = int(operations), int(total) / int(operations)
        if not found:
            raise RuntimeError("a participant has ended: " + " ".join(self.process.args))
        return found

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(MOST_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
        if self.server:
            os.kill(self.server_pid, signal.SIGTERM)
            self.server.wait()


def progress(text):
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + text)
        sys.stderr.flush()


def has_workload(folder, workload, who):
    path = program(folder, WORKLOADS[workload][0], who)
    if not os.path.exists(path):
        return False
    listed = subprocess.run([path], stdout=subprocess.PIPE, text=True, check=True).stdout
    return workload in listed.split()


def measure(folder, workload, case, who_runs, rounds):
    """{(who, metric, unit): [value of each round]}; the first round warms up, and does not count,
    but for memory, which wants a new process each time."""
    values = {}

    def note(who, found):
        for (metric, unit), (_, value) in found.items():
            values.setdefault((who, metric, unit), []).append(value)

    if workload.endswith("_memory"):
        for number in range(rounds):
            for who in who_runs:
                progress(f"{workload} {case}: round {number + 1} of {rounds}, {who}")
                participant = Participant(folder, workload, case, who)
                note(who, participant.round())
                participant.close()
        return values
    participants = {}
    try:
        for who in who_runs:
            participants[who] = Participant(folder, workload, case, who)
        for number in range(rounds + 1):
            for who, participant in participants.items():
                progress(f"{workload} {case}: round {number} of {rounds}, {who}")
                found = participant.round()
                if number > 0:
                    note(who, found)
    finally:
        for participant in participants.values():
            participant.close()
    return values


def count(folder, workload, case, who, through, total_of):
    """What one round costs more than none, by running some, and more: `through` is the command that
    counts, `total_of` reads its output file."""
    totals, operations = [], []
    for rounds in (1, 3):
        with tempfile.NamedTemporaryFile() as output:
            participant = Participant(folder, workload, case, who,
                                      [part.replace("FILE", output.name) for part in through])
            operations.append(sum(next(iter(participant.round().values()))[0]
                                  for _ in range(rounds)))
            participant.close()
            with open(output.name, encoding="utf-8", errors="replace") as file:
                totals.append(total_of(file.read()))
    return (totals[1] - totals[0]) / (operations[1] - operations[0])


def instructions_in(text):
    return int(re.findall(r"^(?:summary|totals): (\d+)", text, re.M)[-1])


def syscalls_in(text):
    return len(re.findall(r"^(?:\d+ +)?\w+\(", text, re.M))


COUNTERS = {
    "instructions": (["valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=FILE"],
                     instructions_in),
    "syscalls": (["strace", "-f", "-qq", "-e", "signal=none", "-o", "FILE"], syscalls_in),
}


def rows_of(workload, case, values):
    rows = []
    for (who, metric, unit), found in values.items():
        floor = values.get(("floor", metric, unit))
        ratio = None
        if floor and len(floor) == len(found) and all(floor):
            ratio = statistics.median(value / base for value, base in zip(found, floor))
        rows.append(report.Row(workload, case, who, metric, unit, statistics.median(found),
                               min(found), max(found), ratio))
    return rows


def main():
    parser = argparse.ArgumentParser(prog="run.sh")
    parser.add_argument("folder")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD")
    parser.add_argument("--tsv", action="store_true")
    parser.add_argument("--svg", metavar="FILE")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--list", action="store_true")
    for counter in COUNTERS:
        parser.add_argument("--" + counter, action="store_true")
    options = parser.parse_intermixed_args()
    if options.list:
        for workload, (_, cases, _) in WORKLOADS.items():
            print(workload, *cases)
        return
    unknown = [workload for workload in options.workloads if workload not in WORKLOADS]
    if unknown or options.rounds < 1:
        parser.error("no such workload: " + " ".join(unknown) if unknown else "no rounds")

    missing = [who for who in PACKAGES
               if not any(os.path.exists(program(options.folder, group, who))
                          for group in ("io", "tasks"))]
    start = time.monotonic()
    if options.tsv:
        report.print_tsv_header()
    rows = []
    for workload in options.workloads or WORKLOADS:
        _, cases, most_rounds = WORKLOADS[workload]
        who_runs = [who for who in WHO if has_workload(options.folder, workload, who)]
        who_runs.insert(1, AGAIN)
        for case in cases:
            values = measure(options.folder, workload, case, who_runs,
                             min(options.rounds, most_rounds or options.rounds))
            for counter, (through, total_of) in COUNTERS.items():
                if not getattr(options, counter) or workload.endswith("_memory"):
                    continue
                for who in who_runs:
                    progress(f"{workload} {case}: {counter}, {who}")
                    try:
                        values[who, counter, "count"] = [
                            count(options.folder, workload, case, who, through, total_of)]
                    except RuntimeError as error:  # Go's runtime does not bear valgrind
                        print(f"{counter} not counted: {error}", file=sys.stderr)
            progress("")
            found = rows_of(workload, case, values)
            (report.print_tsv if options.tsv else report.print_table)(found)
            rows += found
    if options.svg:
        report.draw(rows, options.svg)
    if not options.tsv:
        print(f"\n{time.monotonic() - start:.0f} s, on processor {PROCESSOR}.")
    for who in missing:
        print(f"not installed, so not measured: {who} (Debian's {PACKAGES[who]}; --peers "
              "installs it)", file=sys.stderr)


main()
