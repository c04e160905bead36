"""What a signal handler may do: it comes between any two lines of our files."""

import os
import sys


class At:
    """Calls `handler` before the line number `count` of `modules` that a call runs."""

    def __init__(self, count, handler, modules):
        self.left = count
        self._handler = handler
        self._files = {os.path.abspath(module.__file__) for module in modules}

    def __enter__(self):
        self._before = sys.gettrace()
        sys.settrace(self._trace)

    def __exit__(self, *exc_info):
        sys.settrace(self._before)

    def _trace(self, frame, event, arg):
        if frame.f_code.co_filename not in self._files:
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                self._handler()
        return self._trace
