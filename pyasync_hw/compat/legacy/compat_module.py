"""asyncio.compat (gone in 3.7): which Python this is at least."""

__all__ = ["PY34", "PY35", "PY352", "flatten_list_bytes"]

__name__ = "asyncio.compat"

PY34 = PY35 = PY352 = True


def flatten_list_bytes(list_of_data: list[bytes]) -> bytes:
    """Its elements in one."""
    return b"".join(list_of_data)
