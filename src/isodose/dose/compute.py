"""From names to a dose: the one call that the command line and scripts make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from isodose.dose.dose import Dose
from isodose.dose.engine import engine as engine_of
from isodose.dose.quantity import Quantity
from isodose.patient.patient import Patient
from isodose.plan.plan import Plan


def compute_dose(
    patient: Patient,
    plan: Plan,
    quantities: Iterable[str | Quantity] = (Quantity.DOSE,),
    engine: str = "montecarlo",
    **options: Any,
) -> Dose:
    """Compute quantities of a plan in a patient.

    Parameters
    ----------
    patient, plan
        The two nouns that every engine takes.
    quantities
        What to compute, by value or by name (``"dose"``, ``"letd"``, ...); the dose is always among them.
    engine
        Name under which an engine is registered.
    **options
        What the engine's constructor takes, such as ``histories``, ``uncertainty``, ``seed``, ``threads`` and
        ``spacing_mm`` of the Monte Carlo.

    Returns
    -------
    Dose
        Per fraction.

    Raises
    ------
    InputError
        For an unknown quantity, engine or option, or an input that the engine refuses.
    """
    return engine_of(engine, **options).compute(patient, plan, wanted_quantities(quantities))


def wanted_quantities(quantities: Iterable[str | Quantity]) -> tuple[Quantity, ...]:
    """Quantities by value or by name, each once, the dose first."""
    named = (q if isinstance(q, Quantity) else Quantity.of(q) for q in quantities)
    return tuple(dict.fromkeys((Quantity.DOSE, *named)))
