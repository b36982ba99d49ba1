"""What an engine is, and how engines are found."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import entry_points
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
        If no engine has that name.
    """
    found = {point.name: point for point in entry_points(group="isodose.engines")}
    if name not in found:
        raise InputError("engine", repr(name), f"one of {', '.join(sorted(found)) or '(none installed)'}")
    return cast(DoseEngine, found[name].load()(**options))
