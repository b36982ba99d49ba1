"""The Monte Carlo against Geant4 and MCsquare; the figures in full are printed by ``benchmarks/``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from isodose.dose.quantity import Quantity
from isodose.evaluate.bragg import profile_of
from isodose.evaluate.gamma import GammaCriteria, gamma
from isodose.evaluate.lateral import LateralProfile
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.physics.constants import GY_PER_MEV_PER_G
from isodose.transport.engine import MonteCarlo

REFERENCE = Path(__file__).resolve().parents[2] / ".." / "shared" / "reference" / "transport"

pytestmark = [
    pytest.mark.physics,
    pytest.mark.skipif(not REFERENCE.exists(), reason="the reference results are not beside the checkout"),
]


def voxels_of_mm(hu_xzd):
    """Phantom of 1 mm voxels from an array ``[x, z, depth]``; depth goes along +y."""
    hu = np.transpose(hu_xzd, (1, 2, 0))
    nz, _, nx = hu.shape
    grid = Grid((-(nx - 1) / 2, 0.5, -(nz - 1) / 2), (1.0, 1.0, 1.0), hu.shape)
    return Patient("phantom", Volume(grid, hu), calibration="phantom")


def run(name, histories, machine_of, plan_of):
    reference = np.load(REFERENCE / f"{name}.npz")
    meta = json.loads(str(reference["meta"]))
    hu = np.zeros(reference["dose"].shape, dtype=np.float32)
    if "density_g_cm3" in reference:
        hu[reference["density_g_cm3"] > 1.5] = 1525.0
    energy = meta["energy_mean_MeV"]
    machine = machine_of(
        "proton",
        energy,
        meta["spot_sigma_mm"],
        meta["divergence_sigma_rad"],
        meta["energy_sigma_percent_of_nominal"],
    )
    dose = MonteCarlo(histories, seed=21, machine=machine).compute(
        voxels_of_mm(hu), plan_of("proton", energy)
    )
    return np.transpose(dose.values[Quantity.DOSE], (2, 0, 1)), reference["dose"]


@pytest.mark.parametrize(
    ("name", "r80_mm"), [("water_150_mono", (158.2, 158.7)), ("water_100_clin", (77.4, 77.4))]
)
def test_protons_in_water(name, r80_mm, machine_of, plan_of):
    ours, theirs = run(name, 300_000, machine_of, plan_of)
    depth = np.arange(ours.shape[2]) + 0.5
    x = np.arange(ours.shape[0]) + 0.5 - ours.shape[0] / 2
    a, b = (profile_of(depth, dose.sum((0, 1))) for dose in (ours, theirs))
    # the interval that MCsquare and Geant4 span (MCsquare alone at 100 MeV), 0.3 mm either way
    assert r80_mm[0] - 0.3 < a.r80_mm < r80_mm[1] + 0.3
    # 300,000 histories know a slab of 1 mm to about 0.1 %
    entrance = [profile.dose[:3].mean() for profile in (a, b)]
    assert a.peak / entrance[0] == pytest.approx(b.peak / entrance[1], rel=0.03)
    assert entrance[0] == pytest.approx(entrance[1], rel=0.02)  # absolute, in Gy per proton
    outside = np.hypot(x[:, None], x[None, :]) > 20.0
    assert ours[outside].sum() == pytest.approx(theirs[outside].sum(), rel=0.25)
    for k in range(5, int(0.95 * b.r80_mm), 10):
        widths = [
            LateralProfile(x, d[:, :, k - 2 : k + 3].sum((1, 2))).core_sigma_mm() for d in (ours, theirs)
        ]
        assert widths[0] == pytest.approx(widths[1], rel=0.03)


def test_protons_behind_half_a_slab_of_bone(machine_of, plan_of):
    ours, theirs = run("slab_150_bone_water", 1_000_000, machine_of, plan_of)
    grid = Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), ours.shape)
    index = gamma(Volume(grid, theirs), Volume(grid, ours), GammaCriteria(2.0, 1.0, 10.0))
    assert index.pass_rate >= 98.0


@pytest.fixture(scope="module")
def carbon_290(machine_of, plan_of):
    """Carbon of 290 MeV/u in 40 cm of water in slabs of 0.5 mm: our dose with currents, and Geant4's file."""
    reference = np.load(REFERENCE / "ch_c12_290_qmd.npz", allow_pickle=True)
    grid = Grid((0.0, 0.25, 0.0), (400.0, 0.5, 400.0), (1, 800, 1))
    patient = Patient("water", Volume(grid, np.zeros(grid.shape, dtype=np.float32)), calibration="phantom")
    engine = MonteCarlo(30_000, seed=22, machine=machine_of("carbon", 290.0, 0.0))
    dose = engine.compute(patient, plan_of("carbon", 290.0), (Quantity.DOSE, Quantity.CURRENT))
    return dose, reference


def current(dose, classes):
    spectrum = dose.spectra[Quantity.CURRENT]
    return spectrum.per_class(800)[:, [spectrum.classes.index(c) for c in classes]].sum(axis=1)


def test_carbon_in_water(carbon_290):
    dose, reference = carbon_290
    mass_g = dose.grid.voxel_volume_cm3
    ours = dose.values[Quantity.DOSE][0, :, 0] * mass_g / GY_PER_MEV_PER_G
    theirs = reference["edep_MeV_per_0p5mm"]
    a, b = (profile_of(reference["z_mm"], energy) for energy in (ours, theirs))
    assert a.r80_mm == pytest.approx(b.r80_mm, abs=0.3)
    entrance = ours[2:20].mean()
    assert entrance == pytest.approx(theirs[2:20].mean(), rel=0.015)
    # intervals spanned by the Geant4 models; 30,000 histories know the peak to 0.5 % and the tail to 1 %
    assert 5.1 * 0.99 < a.peak / entrance < 5.44 * 1.01
    tail = int((a.r80_mm + 10.0) / 0.5)
    assert 0.060 * 0.98 < ours[tail - 4 : tail + 4].mean() / a.peak < 0.075 * 1.02
    mean = dose.provenance["mean_energy_mev_per_primary"]
    # 0.562 to 0.571 by Geant4; binomial uncertainty 0.003
    assert 0.562 - 0.006 < mean["primary_reactions"] < 0.571 + 0.006
    behind = int((a.r80_mm + 5.0) / 0.5)
    assert 0.43 < current(dose, ("He3", "He4", "He6"))[behind] < 0.58


@pytest.mark.parametrize(
    ("group", "classes", "low", "high"),
    [
        ("H", ("p", "d", "t"), 0.75, 1.25),
        ("He", ("He3", "He4", "He6"), 0.75, 1.25),
        # Geant4's QMD is 30 % (Li) and 45 % (Be) below Toshito's measurement: that end of the band is theirs
        ("Li", ("Li",), 0.75, 1.25 / 0.70),
        ("Be", ("Be",), 0.75, 1.25 / 0.55),
        ("B", ("B8", "B10", "B11"), 0.75, 1.25),
    ],
)
def test_carbon_fragments(carbon_290, group, classes, low, high):
    dose, reference = carbon_290
    names = [str(c) for c in reference["classes"]]
    theirs = sum(
        reference["current_by_class"][:, names.index(c)] for c in (classes if group == "H" else (group,))
    )
    ours = current(dose, classes)
    for depth_mm in (40, 80, 120, 160):
        k = slice(2 * depth_mm - 5, 2 * depth_mm + 5)
        assert low < ours[k].mean() / theirs[k].mean() < high


@pytest.mark.parametrize(("ion", "energy"), [("helium", 150.0), ("oxygen", 300.0)])
def test_helium_and_oxygen_ranges(ion, energy, machine_of, patient_of, plan_of):
    pycatima = pytest.importorskip("pycatima")
    charge, nucleons = {"helium": (2, 4.0026), "oxygen": (8, 15.9949)}[ion]
    water = pycatima.get_material(pycatima.material.Water)
    water.I(78.0)
    expected = 10.0 * pycatima.range(pycatima.Projectile(nucleons, charge, T=energy), water)
    machine = machine_of(ion, energy, 0.0)
    slabs = patient_of((1, 900, 1), (400.0, 0.25, 400.0))
    dose = MonteCarlo(4_000, seed=24, machine=machine).compute(slabs, plan_of(ion, energy))
    profile = profile_of(np.arange(900) * 0.25 + 0.125, dose.values[Quantity.DOSE][0, :, 0])
    # R80 is the mean range of a narrow beam to 0.1 mm; straggling of 0.9 mm over 2,000 survivors adds 0.02 mm
    assert profile.r80_mm == pytest.approx(expected, abs=0.4)
