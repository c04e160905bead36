"""Names that older programs expect; `python -m pyasync_hw run` installs them.

Nothing here is active by importing it: `legacy.install()` and
`shims.install()` change the process, and return what undoes the change.
"""
