"""What to say of a name that Python itself had when a program was written, and has no more."""

from __future__ import annotations

__all__ = ["about_name"]

# (module or class, name) -> the Python that dropped it, and what does it now.
_NAMES = {
    ("Element", "getchildren"): ("3.9", "list(element)"),
    ("ElementTree", "getchildren"): ("3.9", "list(element)"),
    ("Thread", "isAlive"): ("3.9", "is_alive()"),
    ("array", "fromstring"): ("3.9", "frombytes()"),
    ("array", "tostring"): ("3.9", "tobytes()"),
    ("base64", "decodestring"): ("3.9", "base64.decodebytes()"),
    ("base64", "encodestring"): ("3.9", "base64.encodebytes()"),
    ("cgi", "escape"): ("3.8", "html.escape()"),
    ("fractions", "gcd"): ("3.9", "math.gcd()"),
    ("inspect", "getargspec"): ("3.11", "inspect.getfullargspec()"),
    ("inspect", "formatargspec"): ("3.11", "inspect.signature()"),
    ("locale", "format"): ("3.12", "locale.format_string()"),
    ("os", "errno"): ("3.7", "import errno"),
    ("platform", "dist"): ("3.8", "platform.freedesktop_os_release()"),
    ("platform", "linux_distribution"): ("3.8", "platform.freedesktop_os_release()"),
    ("ssl", "match_hostname"): ("3.12", "ssl.create_default_context(), which does it itself"),
    ("ssl", "wrap_socket"): ("3.12", "ssl.create_default_context().wrap_socket()"),
    ("sys", "setcheckinterval"): ("3.9", "sys.setswitchinterval()"),
    ("time", "clock"): ("3.8", "time.perf_counter() or time.process_time()"),
}
_ABSTRACT = ("3.10", "collections.abc.{name}")
_IN_COLLECTIONS = [
    "ByteString",
    "Callable",
    "Container",
    "Hashable",
    "Iterable",
    "Iterator",
    "ItemsView",
    "KeysView",
    "Mapping",
    "MappingView",
    "MutableMapping",
    "MutableSequence",
    "MutableSet",
    "Sequence",
    "Set",
    "Sized",
    "ValuesView",
]


def about_name(owner: str, name: str) -> str | None:
    """Of an attribute of a module or an object: one line, if it was Python's."""
    found = _NAMES.get((owner, name))
    if owner == "collections" and name in _IN_COLLECTIONS:
        found = _ABSTRACT
    if found is None:
        return None
    version, now = found
    return f"{name} is gone since Python {version}; now it is {now.format(name=name)}."
