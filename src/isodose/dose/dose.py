"""The result of every engine: named quantities on one grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isodose.dose.quantity import Quantity
from isodose.dose.spectra import Spectra
from isodose.errors import InputError
from isodose.patient.grid import Grid
from isodose.patient.volume import Volume


@dataclass(frozen=True, slots=True)
class Dose:
    """Quantities on a grid with their statistical uncertainty and where they came from.

    Parameters
    ----------
    grid
        The dose grid.
    values
        Arrays ``[z, y, x]`` float32 by quantity, in the quantity's unit; doses are per fraction.
    uncertainty
        Standard uncertainty (one standard deviation of the mean) in the same unit, where the engine knows it.
    spectra
        Sparse spectra per voxel by quantity (track length, current), where asked for.
    provenance
        What the engine did: engine, version, machine, histories, seed, times, models; ``partial`` is True
        where the computation was interrupted.
    """

    grid: Grid
    values: Mapping[Quantity, NDArray[np.float32]]
    uncertainty: Mapping[Quantity, NDArray[np.float32]] = field(default_factory=dict)
    spectra: Mapping[Quantity, Spectra] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for table in (self.values, self.uncertainty):
            for quantity, array in table.items():
                if array.shape != self.grid.shape:
                    raise InputError(
                        f"dose.{quantity.key}", f"shape {array.shape}", f"the grid's shape {self.grid.shape}"
                    )

    def volume(self, quantity: Quantity = Quantity.DOSE) -> Volume:
        """One quantity as a volume; an error names what there is."""
        if quantity not in self.values:
            have = ", ".join(q.key for q in self.values)
            raise InputError("quantity", quantity.key, f"one that was computed ({have})")
        return Volume(self.grid, self.values[quantity])
