"""A scheduler by hand: generators take turns, each `yield` lets the next one run."""

import time
from collections import deque


def remind(seconds, text, times):
    """Say it every so often; between, look at the clock and let the others run."""
    for _ in range(times):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            yield
        print(text, flush=True)
    return times


def divide(a, b):
    yield
    return a / b


class Scheduler:
    def __init__(self):
        self.waiting = deque()
        self.results = {}
        self.errors = {}

    def add(self, name, routine):
        self.waiting.append((name, routine))

    def run(self):
        while self.waiting:
            name, routine = self.waiting.popleft()
            try:
                next(routine)
            except StopIteration as end:
                self.results[name] = end.value
            except Exception as error:
                self.errors[name] = error
            else:
                self.waiting.append((name, routine))


if __name__ == "__main__":
    scheduler = Scheduler()
    scheduler.add("tea", remind(0.1, "is the tea ready?", 3))
    scheduler.add("oven", remind(0.2, "look into the oven", 2))
    scheduler.add("quotient", divide(6, 4))
    scheduler.add("impossible", divide(6, 0))
    scheduler.run()
    for name in sorted(scheduler.results):
        print(name, "gave", scheduler.results[name])
    for name in sorted(scheduler.errors):
        print(name, "failed:", scheduler.errors[name])
