"""`python -m pyasync_hw VERB`: see pyasync_hw.cli."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
