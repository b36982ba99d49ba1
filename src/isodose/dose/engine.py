"""What an engine is, and how engines are found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from importlib.metadata import entry_points
from inspect import signature
from typing import Any, Protocol, cast

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.patient.patient import Patient
from isodose.plan.plan import Plan


class DoseEngine(Protocol):
    """Turns a patient and a plan into a dose."""

    def compute(self, patient: Patient, plan: Plan, quantities: Collection[Quantity]) -> Dose:
        """Compute the quantities of a plan in a patient."""
        ...


def engine(name: str, **options: Any) -> DoseEngine:
    """Engine by the name under which a package registered it (entry point group ``isodose.engines``).

    Raises
    ------
    InputError
        If no engine has that name, or it does not take an option.
    """
    known = options_of(name)
    for option in options:
        if option not in known:
            raise InputError(f"option of engine {name!r}", option, f"one of {', '.join(known)}")
    return cast(DoseEngine, _class_of(name)(**options))


def options_of(name: str) -> tuple[str, ...]:
    """Options that an engine takes.

    Raises
    ------
    InputError
        If no engine has that name.
    """
    return tuple(signature(_class_of(name)).parameters)


def _class_of(name: str) -> Callable[..., Any]:
    found = _registered(entry_points)
    if name not in found:
        raise InputError("engine", repr(name), f"one of {', '.join(sorted(found)) or '(none installed)'}")
    return cast(Callable[..., Any], found[name].load())


@cache
def _registered(find: Callable[..., Any]) -> Mapping[str, Any]:
    """Entry points by name, looked for once a finder: reading what all packages register takes 10 ms."""
    return {point.name: point for point in find(group="isodose.engines")}
