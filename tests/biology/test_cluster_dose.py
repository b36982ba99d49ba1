"""Cluster dose by hand, by both engines, and between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isodose.biology.biological_dose import compute_biological_dose
from isodose.biology.cluster_dose import (
    KEV_PER_KG_AND_GY,
    cluster_dose_of_spectra,
    cluster_weightings,
    compute_cluster_dose,
)
from isodose.biology.mixed_field import spectra_of
from isodose.biology.models import model
from isodose.biology.tissue import TissueMap, tissue
from isodose.dose.quantity import Quantity
from isodose.dose.spectra import Spectra
from isodose.errors import InputError
from isodose.machine.machine_file import machine
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.pencilbeam.engine import PencilBeam
from isodose.pencilbeam.layer_tables import AMPLITUDE, FIRST_CHANNEL, STEP_MM, layer_tables
from isodose.pencilbeam.spreading import scattering_power
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.transport.engine import MonteCarlo

F2, F4, DOSE, WATER = Quantity.CLUSTER_F2, Quantity.CLUSTER_F4, Quantity.DOSE, Quantity.DOSE_TO_WATER
_EDGES = np.array([10.0, 11.0, 99.9, 100.1, 1199.5, 1200.5])
_VOXEL = Grid((0.0, 0.0, 0.0), (2.0, 2.0, 2.0), (1, 1, 2))


def _box(shape, spacing=(2.0, 2.0, 2.0)) -> Patient:
    nz, _, nx = shape
    origin = (-(nx - 1) * spacing[0] / 2, spacing[1] / 2, -(nz - 1) * spacing[2] / 2)
    return Patient("water", Volume(Grid(origin, spacing, shape), np.zeros(shape)), calibration="phantom")


def _plan(energy: float, x=(0.0,), particles: float = 1e6) -> Plan:
    spots = Spots(np.array(x), np.zeros(len(x)), np.full(len(x), particles))
    beam = Beam("b", 0.0, 0.0, (0.0, 0.0, 0.0), (Layer(energy, spots),))
    return Plan("spots", "carbon", "generic_carbon", (beam,))


def _tracks(*rows: tuple[int, int, int, float]) -> Spectra:
    """Spectra of protons and carbon from (voxel, class, bin, mm)."""
    key = np.array([(voxel * 2 + c) * 5 + b for voxel, c, b, _ in rows])
    order, mm = np.argsort(key), np.array([row[3] for row in rows])
    return Spectra(("p", "C12"), _EDGES, key[order], mm[order], np.zeros(len(rows)))


@pytest.mark.physics
def test_carbon_of_one_energy_by_hand(made_up_clusters):
    # 3 mm of 100 MeV/u track per primary in 8 mm3, 1e6 primaries: fluence times clusters per mm over density.
    found = cluster_dose_of_spectra(_tracks((1, 1, 4, 3.0)), _VOXEL, F4, made_up_clusters, 1e6)
    fluence = 1e6 * 3.0 / 8.0
    per_mm = float(made_up_clusters.per_nm("C12", "F4", 100.0)) * 1e6
    assert found[0, 0] == pytest.approx([0.0, fluence * per_mm / 1e-6], rel=1e-4)


def test_classes_and_particles_add_up(made_up_clusters):
    def of(*rows, particles=1e6):
        return cluster_dose_of_spectra(_tracks(*rows), _VOXEL, F4, made_up_clusters, particles)

    proton, carbon = (0, 0, 2, 5.0), (0, 1, 4, 0.7)
    assert of(proton, carbon) == pytest.approx(of(proton) + of(carbon), rel=1e-6)
    assert of(proton, carbon, particles=3e6) == pytest.approx(3.0 * of(proton, carbon), rel=1e-6)


def test_spectra_of_another_grid_are_refused(made_up_clusters):
    with pytest.raises(InputError, match=r"spectra.key: found voxels 3 to 3"):
        cluster_dose_of_spectra(_tracks((3, 1, 4, 1.0)), _VOXEL, F4, made_up_clusters, 1e6)


@pytest.mark.physics
def test_monte_carlo_scores_what_its_spectra_say(made_up_clusters):
    patient = _box((12, 30, 12))
    asked = [F2, F4, WATER, Quantity.TRACK_LENGTH]
    options = {"histories": 300, "threads": 1, "seed": 3, "spectrum_margin_mm": 100.0}
    dose = compute_cluster_dose(patient, _plan(110.0), asked, "montecarlo", made_up_clusters, **options)
    for quantity in (F2, F4):
        spectra = dose.spectra[Quantity.TRACK_LENGTH]
        binned = cluster_dose_of_spectra(spectra, dose.grid, quantity, made_up_clusters, 1e6)
        scored = dose.values[quantity]
        total = scored.sum(dtype=float)
        # Particles born with less range than the last step leave no track length at all: 0.4 % of F2.
        assert binned.sum(dtype=float) == pytest.approx(total, rel=6e-3)
        # Plane by plane bins of 2 MeV/u smear the peak, and ends count with the bin before.
        by_depth = scored.sum(axis=(0, 2)), binned.sum(axis=(0, 2))
        assert np.abs(by_depth[1] - by_depth[0]).max() < 0.04 * by_depth[0].max()
    assert set(dose.values) == {DOSE, F2, F4, WATER}
    assert np.all(dose.values[F4] <= dose.values[F2])


@pytest.mark.physics
def test_uncertainty_is_the_spread_of_independent_runs(made_up_clusters):
    patient, plan = _box((3, 8, 3), (8.0, 5.0, 8.0)), _plan(110.0)
    runs = [
        compute_cluster_dose(patient, plan, [F4], "montecarlo", made_up_clusters, histories=400, seed=s)
        for s in range(40)
    ]
    values = np.array([run.values[F4] for run in runs], dtype=np.float64)
    claimed = np.mean([run.uncertainty[F4].astype(np.float64) ** 2 for run in runs], axis=0)
    hit = values.mean(axis=0) > 0.2 * values.mean(axis=0).max()
    ratio = np.sqrt(values.var(axis=0, ddof=1)[hit].mean() / claimed[hit].mean())
    # 40 runs know a standard deviation to 11 %, in a few correlated voxels
    assert ratio == pytest.approx(1.0, abs=0.3)


@pytest.mark.physics
def test_engines_agree_in_water(made_up_clusters):
    patient, plan = _box((15, 34, 15)), _plan(115.0, (-4.0, 0.0, 4.0))
    slow = compute_cluster_dose(
        patient, plan, [F4], "montecarlo", made_up_clusters, histories=6000, threads=1, seed=8
    )
    fast = compute_cluster_dose(patient, plan, [F4], "pencilbeam", made_up_clusters, threads=1)
    depth = [d.values[F4].sum(axis=(0, 2), dtype=float) for d in (slow, fast)]
    noise = np.sqrt(np.square(slow.uncertainty[F4]).sum(axis=(0, 2)))
    assert noise.max() < 0.02 * depth[0].max()
    assert np.all(np.abs(depth[1] - depth[0]) < 0.03 * depth[0].max() + 3.0 * noise)
    assert depth[1].sum() == pytest.approx(depth[0].sum(), rel=0.02)


def test_pencil_beam_is_dose_times_clusters_per_energy(made_up_clusters):
    patient, plan = _box((9, 30, 9)), _plan(100.0, (0.0, 5.0))
    dose = compute_cluster_dose(patient, plan, [F4, WATER], "pencilbeam", made_up_clusters, threads=1)
    weightings = cluster_weightings(spectra_of(machine("generic_carbon")), [F4], made_up_clusters)
    engine = PencilBeam(weightings=weightings, threads=1)
    mean = engine.compute(patient, plan, (DOSE, F4)).values[F4]
    np.testing.assert_allclose(dose.values[F4], mean * dose.values[WATER] * KEV_PER_KG_AND_GY, rtol=1e-5)
    # Linear in the spots' weights: an influence matrix gives the same.
    influence = engine.influence(patient, plan, (DOSE, F4), kept=0.9999)
    product = influence.weighted([1e6, 1e6], F4).astype(float) * KEV_PER_KG_AND_GY
    high = dose.values[F4] > 0.05 * dose.values[F4].max()
    np.testing.assert_allclose(product[high], dose.values[F4][high], rtol=0.02)
    assert set(dose.values) == {DOSE, F4, WATER}


def test_goes_with_an_rbe_model(made_up_clusters, monkeypatch):
    monkeypatch.setattr("isodose.biology.cluster_dose.cluster_database", lambda: made_up_clusters)
    patient, plan = _box((5, 20, 5)), _plan(90.0)
    tissues = TissueMap(tissue("chordoma"))
    dose = compute_biological_dose(patient, plan, model("mkm"), tissues, ["cluster:F4"], threads=1)
    alone = compute_cluster_dose(patient, plan, ["cluster:F4"], "pencilbeam", threads=1)
    np.testing.assert_allclose(dose.values[F4], alone.values[F4], rtol=1e-6)
    assert Quantity.RBE_DOSE in dose.values
    assert WATER not in dose.values


def test_a_machine_without_spectra_is_refused(made_up_clusters):
    bare = replace(machine("generic_carbon"), base_data=None)
    with pytest.raises(InputError, match="machine 'generic_carbon': spectra: found none"):
        compute_cluster_dose(_box((3, 5, 3)), _plan(90.0), [F4], "pencilbeam", made_up_clusters, machine=bare)


def test_core_and_halo_share_what_the_plane_has(made_up_clusters):
    # The Gaussians differ, and their mean over the dose is that of the spectra.
    carbon = machine("generic_carbon")
    weighting = cluster_weightings(spectra_of(carbon), [F4], made_up_clusters)[F4]
    kernel = carbon.base_data.kernel(250.0)
    flat = replace(weighting, per_let=None)
    tables = [layer_tables([kernel], scattering_power("carbon", 250.0), [w]).table for w in (weighting, flat)]
    amount = tables[0][:, 0, :, AMPLITUDE]
    sums = [(amount * t[:, 0, :, FIRST_CHANNEL]).sum(axis=1) for t in tables]
    inside = slice(0, int(kernel.range_mm / STEP_MM))
    # Weights and LET are interpolated between depths apart.
    np.testing.assert_allclose(sums[0][inside], sums[1][inside], rtol=3e-3)

    core, halo = tables[0][inside, 0, 0, FIRST_CHANNEL], tables[0][inside, 0, 2, FIRST_CHANNEL]
    assert core[-1] > 1.2 * halo[-1]


def test_engines_alone_do_not_know_clusters():
    patient, plan = _box((3, 5, 3)), _plan(90.0)
    with pytest.raises(InputError, match="quantities: found cluster:F4, expected a response for it"):
        MonteCarlo(10).compute(patient, plan, (F4,))
    with pytest.raises(InputError, match="quantities: found cluster:F4"):
        PencilBeam().compute(patient, plan, (F4,))
