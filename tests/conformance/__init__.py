"""CPython's own Lib/test/test_asyncio, run with any event loop in asyncio's place.

`suite.py` runs it and survives what the tests do, `child.py` is the process in
which one module of it runs, `exclusions.txt` says what is left out and why.
"""
