"""A plan of photon fields: bixels in place of spots, monitor units in place of particles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isodose.errors import InputError
from isodose.plan.plan import Plan

PHOTON = "photon"


@dataclass(frozen=True)
class PhotonPlan(Plan):
    """Intensity-modulated photon fields.

    A beam has one layer, whose spots are the middles of the bixels on the isocentre plane and whose
    ``particles`` are their monitor units: the ones that an open field of the same intensity would take. The
    layer's energy is the accelerating voltage, 6.0 for 6 MV.

    Parameters
    ----------
    bixel_mm
        Side of the square bixels on the isocentre plane; they lie on a lattice of that distance.

    Raises
    ------
    InputError
        As of a `Plan`, if the ion is not ``"photon"``, or the bixels have no sensible size.
    """

    bixel_mm: float = 5.0

    def __post_init__(self) -> None:
        if self.ion != PHOTON:
            raise InputError("plan.ion", repr(self.ion), f"{PHOTON!r}")
        if not (np.isfinite(self.bixel_mm) and 1.0 <= self.bixel_mm <= 100.0):
            raise InputError("plan.bixel_mm", self.bixel_mm, "1 to 100 mm")
        # Whatever else holds for plans holds for one of photons.
        Plan(self.name, "proton", self.machine, self.beams, self.fractions, self.prescription_gy, self.target)
