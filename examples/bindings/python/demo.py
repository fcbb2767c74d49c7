"""A timer, a socket and a queue, each of which sets the next one going:

    after 10 ms the timer's callback sends a line through a socket;
    the watcher of its other end reads the line, and its words are put into a queue one by one;
    the consumer at the queue's other end prints them, and starts the timer again after the last.
"""

from __future__ import annotations

import socket

import aiol

LINES = ["one loop", "a timer and a socket", "and a queue"]

loop = aiol.Loop()
here, there = socket.socketpair()
queue = aiol.Queue(loop, capacity=1)
lines = iter(LINES)
words: list[str] = []  # that were read and are not yet put


def on_timer(timer: aiol.Timer) -> None:
    line = next(lines, None)
    if line is None:
        print("timer: no more lines")
        here.close()
    else:
        print("timer: sends a line")
        here.sendall(line.encode())


def on_readable(watcher: aiol.Watcher, ready: int) -> None:
    line = there.recv(1000).decode()
    if line:
        print(f"socket: read {line!r}")
        words.extend(line.split())
        putter.start(words.pop(0))
    else:
        print("socket: at its end")
        watcher.close()
        there.close()
        queue.shutdown()


def on_put(putter: aiol.Putter, status: int, refused: object) -> None:
    if words:
        putter.start(words.pop(0))


def on_get(getter: aiol.Getter, status: int, word: str) -> None:
    if status == aiol.ECLOSED:
        print("queue: shut down and empty")
        return
    print(f"queue: got {word!r}")
    queue.done()
    if not words and not queue.unfinished():
        timer.start(0.01)
    getter.start()


timer = aiol.Timer(loop, on_timer)
watcher = aiol.Watcher(loop, there.fileno(), on_readable)
putter = aiol.Putter(queue, on_put)
getter = aiol.Getter(queue, on_get)

timer.start(0.01)
watcher.start(aiol.READABLE)
getter.start()
loop.run()
print("loop: nothing is left to do")
loop.close()
