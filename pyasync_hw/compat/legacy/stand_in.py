"""Classes of ours that stand for asyncio's Future and Task, and make objects of those."""

from __future__ import annotations

from abc import ABCMeta
from typing import Any

from .toy_loops import adapt

__all__ = ["standing_for"]


def standing_for(standard: type[Any]) -> type[ABCMeta]:
    """The metaclass of a class that derives from `standard` and stands for it.

    That class makes objects of the standard one, and counts them as its own.  Those that a
    program derives from it are like any others; tasks of one cost half as much again.
    """

    class StandIn(ABCMeta):  # what a program derives from it may be an ABC, too
        def __call__(cls, *args: Any, **options: Any) -> Any:
            if "loop" in options:
                adapt(type(options["loop"]))
            if cls.__base__ is standard:
                return standard(*args, **options)
            return super().__call__(*args, **options)

        def __instancecheck__(cls, instance: object) -> bool:
            if cls.__base__ is standard:
                return isinstance(instance, standard)
            return super().__instancecheck__(instance)

        def __subclasscheck__(cls, subclass: type) -> bool:
            if cls.__base__ is standard:
                return issubclass(subclass, standard)
            return super().__subclasscheck__(subclass)

    return StandIn
