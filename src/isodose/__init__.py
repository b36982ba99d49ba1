"""isodose computes, plans and predicts radiotherapy dose, from the nanometre to the patient."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isodose.dose.compute import compute_dose
    from isodose.evaluate.comparison import compare
    from isodose.patient.builtin import builtin_patient
    from isodose.patient.load import load_patient
    from isodose.plan.load import load_plan
    from isodose.plan.simple_plan import simple_plan
    from isodose.report.html import write_report

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "builtin_patient",
    "compare",
    "compute_dose",
    "load_patient",
    "load_plan",
    "simple_plan",
    "write_report",
]

_HOME = {
    "builtin_patient": "isodose.patient.builtin",
    "compare": "isodose.evaluate.comparison",
    "compute_dose": "isodose.dose.compute",
    "load_patient": "isodose.patient.load",
    "load_plan": "isodose.plan.load",
    "simple_plan": "isodose.plan.simple_plan",
    "write_report": "isodose.report.html",
}


def __getattr__(name: str) -> Any:
    """Import a public function when it is first used, so that ``import isodose`` itself stays quick."""
    if name not in _HOME:
        raise AttributeError(f"module 'isodose' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
