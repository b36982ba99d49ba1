"""Boxes of water and plans of bixels for the photon tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.photon.photon_plan import PhotonPlan
from isodose.plan.plan import Beam, Layer, Spots

Box = Callable[..., Patient]
Fields = Callable[..., PhotonPlan]


@pytest.fixture(scope="session")
def box() -> Box:
    """A phantom of CT numbers ``[z, y, x]`` whose surface of least y is at y = 0, centred in x and z."""

    def made(hu: np.ndarray, spacing_mm: float = 4.0) -> Patient:
        nz, ny, nx = hu.shape
        origin = (-(nx - 1) * spacing_mm / 2, spacing_mm / 2, -(nz - 1) * spacing_mm / 2)
        grid = Grid(origin, (spacing_mm,) * 3, (nz, ny, nx))
        return Patient("box", Volume(grid, hu.astype(np.float32)), calibration="phantom")

    return made


@pytest.fixture(scope="session")
def fields() -> Fields:
    """Plan of beams with the same bixels ``(x, y, monitor units)``, 5 mm wide."""

    def made(
        bixels: np.ndarray,
        angles: Sequence[float] = (0.0,),
        isocentre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
        bixel_mm: float = 5.0,
    ) -> PhotonPlan:
        x, y, monitor_units = np.asarray(bixels, dtype=np.float64).T
        layer = Layer(6.0, Spots(x, y, monitor_units))
        beams = tuple(Beam(f"{a:g}", a, 0.0, isocentre_mm, (layer,)) for a in angles)
        return PhotonPlan("fields", "photon", "generic_6mv", beams, bixel_mm=bixel_mm)

    return made


@pytest.fixture(scope="session")
def square() -> Callable[..., np.ndarray]:
    """Bixels of an open square field of a whole number of bixels, of one monitor unit or more."""

    def made(side_mm: float, monitor_units: float = 1.0, bixel_mm: float = 5.0) -> np.ndarray:
        middles = np.arange(-side_mm / 2 + bixel_mm / 2, side_mm / 2, bixel_mm)
        x, y = (m.ravel() for m in np.meshgrid(middles, middles))
        return np.stack([x, y, np.full(x.size, monitor_units)], axis=1)

    return made
