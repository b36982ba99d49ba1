"""A head made of ellipsoids with a dose that looks like two opposed ion fields; no engine is needed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings

from isodose.biology.radiation_model import let_kev_um
from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.dose.spectra import Spectra
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume
from isodose.physics.species import species
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.track.database import ClusterDatabase
from isodose.track.database_entry import DATABASE_IONS, Entry

# The first call of a kernel compiles it, which would look like a test that has become slow.
settings.register_profile("isodose", deadline=None)
settings.load_profile("isodose")

PRESCRIPTION_GY = 2.0


def _ellipsoid(grid: Grid, centre, radii) -> np.ndarray:
    x, y, z = (grid.axis_mm(a) for a in "xyz")
    r = (
        ((x[None, None, :] - centre[0]) / radii[0]) ** 2
        + ((y[None, :, None] - centre[1]) / radii[1]) ** 2
        + ((z[:, None, None] - centre[2]) / radii[2]) ** 2
    )
    return (r <= 1.0).astype(np.float32)


@pytest.fixture(scope="session")
def made_up_clusters() -> ClusterDatabase:
    """Clusters of all ions that saturate with LET and fall with their size: smooth, as many as real ones."""

    sizes, energies = np.arange(1, 11), np.geomspace(0.01, 430.0, 80)
    entries = []
    for ion in DATABASE_IONS:
        let = let_kev_um(species(ion), energies)
        per_kev = 20.0 * np.exp(-0.4 * sizes) * let[:, None] / (let[:, None] + 8.0 * (sizes - 1) + 0.5)
        per_nm = per_kev * let[:, None] * 1e-3
        rows = np.concatenate([per_nm, per_nm[:, :2]], axis=1)
        pairs = zip(energies, rows, strict=True)
        entries += [Entry(ion, float(e), row, np.zeros_like(row), 1) for e, row in pairs]
    return ClusterDatabase(tuple(entries), {"version": "made up"})


@pytest.fixture(scope="session")
def head() -> Patient:
    grid = Grid((-95, -115, -80), (3, 3, 4), (40, 76, 64))
    body = _ellipsoid(grid, (0, 0, 0), (80, 100, 90))
    skull = body - _ellipsoid(grid, (0, 0, 0), (73, 93, 83))
    air = _ellipsoid(grid, (0, -60, -20), (12, 20, 15))
    hu = np.where(body > 0, 30.0, -1000.0)
    hu = np.where(skull > 0, 900.0, hu)
    hu = np.where(air > 0, -1000.0, hu)
    target = _ellipsoid(grid, (0, -25, 0), (22, 18, 24))
    stem = _ellipsoid(grid, (0, 15, 0), (10, 10, 30))
    structures = {
        "body": Structure("body", Role.EXTERNAL, grid, body, colour=(90, 200, 90)),
        "ptv": Structure("ptv", Role.PTV, grid, target, colour=(230, 60, 60)),
        "brainstem": Structure("brainstem", Role.ORGAN, grid, stem, colour=(70, 140, 240)),
    }
    return Patient("synthetic head", Volume(grid, hu), structures)


@pytest.fixture(scope="session")
def two_fields() -> Plan:
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-20.0, 21, 5), np.arange(-20.0, 21, 5)))
    layers = tuple(
        Layer(e, Spots(x, y, np.full(x.size, 1e5 * (1 + (e - 150) / 10)))) for e in range(150, 191, 10)
    )
    beams = tuple(Beam(f"G{g:g}", g, 0.0, (0.0, -25.0, 0.0), layers) for g in (90.0, 270.0))
    return Plan(
        "two fields", "carbon", "generic_carbon", beams, prescription_gy=PRESCRIPTION_GY, target="ptv"
    )


@pytest.fixture(scope="session")
def two_field_dose(head: Patient) -> Dose:
    grid = head.grid.resampled((3, 3, 3))
    x, y, z = (grid.axis_mm(a) for a in "xyz")
    shape = np.exp(-(((y[None, :, None] + 25) / 22.0) ** 4) - (z[:, None, None] / 27.0) ** 4)
    depth = 0.5 + 0.5 * np.exp(-((x / 26.0) ** 6))
    rng = np.random.default_rng(3)
    noise = 1.0 + 0.01 * rng.standard_normal(grid.shape)
    body = head.structures["body"]
    body = Volume(body.grid, body.occupancy).on(grid).values > 0.5
    gy = (PRESCRIPTION_GY * shape * depth * noise * body).astype(np.float32)
    letd = (13.0 + 35.0 * (np.abs(x) / 80.0) * np.ones_like(gy)).astype(np.float32) * (gy > 0.01)
    key = np.flatnonzero(gy > 1.0).astype(np.int64)[::7, None] * 20 + np.arange(20)
    spectra = Spectra(
        ("p", "C12"),
        np.geomspace(1.0, 2400.0, 11),
        key.ravel(),
        np.full(key.size, 1e-6),
        np.full(key.size, 1e-14),
    )
    return Dose(
        grid,
        {Quantity.DOSE: gy, Quantity.LETD: letd},
        {Quantity.DOSE: (0.01 * gy + 1e-4).astype(np.float32)},
        {Quantity.TRACK_LENGTH: spectra},
        {
            "engine": "montecarlo",
            "version": "0.1.0",
            "histories": 1_000_000,
            "seed": 0,
            "elapsed_s": 61.0,
            "partial": False,
        },
    )
