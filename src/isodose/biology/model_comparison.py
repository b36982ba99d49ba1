"""Several RBE models on one plan, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isodose.evaluate.dvh import dvh
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What a structure receives according to one model, Gy (RBE) per fraction.

    Parameters
    ----------
    structure, model
        Names.
    mean, d95, d2
        Mean dose, and the doses that 95 % and 2 % of the volume receive at least.
    """

    structure: str
    model: str
    mean: float
    d95: float
    d2: float


def compare_models(
    volumes: Mapping[str, Volume], structures: Mapping[str, Structure]
) -> tuple[ModelFigures, ...]:
    """Figures of every structure and model, structure by structure; empty structures are left out.

    Parameters
    ----------
    volumes
        RBE-weighted dose by model (`isodose.biology.rbe_dose.rbe_weighted_dose`); the physical dose may be
        among them.
    structures
        By name.
    """
    rows = []
    for name, structure in structures.items():
        if structure.is_empty:
            continue
        for model, volume in volumes.items():
            histogram = dvh(volume, structure)
            rows.append(ModelFigures(name, model, histogram.mean, histogram.d(95.0), histogram.d(2.0)))
    return tuple(rows)
