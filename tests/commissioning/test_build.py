"""From campaign to base data, and the shipped data made again."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from isodose.commissioning.build import build_base_data, depth_spectra
from isodose.commissioning.campaign import GAUSSIANS, Campaign
from isodose.commissioning.depth_curves import DepthCurves
from isodose.commissioning.simulation import simulate
from isodose.machine.base_data_file import RELATIVE_ROUNDING, read_base_data, write_base_data
from isodose.machine.machine_file import machine
from isodose.plan.depth_dose import range_mm


@pytest.fixture(scope="module")
def built(tmp_path_factory, low_energies):
    small = Campaign(low_energies, tmp_path_factory.mktemp("simulations"), energies=3, histories=600, seed=5)
    return build_base_data(small, "isodose machine build small")


def test_what_is_built(built):
    assert built.ion == "proton"
    assert built.energies_mev_u[[0, -1]].tolist() == [70.0, 80.0]
    assert [k[0].gaussians for k in (built.kernels, *built.simpler)] == [3, 2, 1]
    assert built.spectra is not None
    assert built.spectra.energy_mev_u.tolist() == [70.0, 80.0]
    assert built.provenance["command"] == "isodose machine build small"
    assert built.provenance["seed"] == 5
    assert built.provenance["histories_per_energy"] == 600


@pytest.mark.parametrize("ion", list(GAUSSIANS))
def test_shipped_data_have_the_gaussians_of_their_ion(ion):
    data = machine(f"generic_{ion}").base_data
    have = [kernels[0].gaussians for kernels in (data.kernels, *data.simpler)]
    assert have == list(range(GAUSSIANS[ion], 0, -1))


def test_spectra_hold_a_track_length_of_one_before_the_range(built):
    spectra = built.spectra
    tracks = spectra.track_length[:, spectra.part < 0.8].sum(axis=(2, 3))
    # Some primaries are lost to reactions, and secondaries added; 200 histories.
    np.testing.assert_allclose(tracks, 1.0, atol=0.12)


def test_spectra_stand_for_their_nominal_depths(known):
    # A track length that grows with depth, of slabs of every length next to an even part of the range: what
    # is given for a depth must be the track length at it.
    energies = np.array([70.0, 110.0, 150.0, 190.0, 230.0])
    simulations, kernels = [], []
    for energy, stretch in zip(energies, (0.99, 0.999, 1.0, 1.001, 1.01), strict=True):
        simulation = known.simulation(energy)
        slabs = simulation.track_length.shape[0]
        middle = (np.arange(slabs) + 0.5) * simulation.spectrum_spacing_mm
        tracks = np.ones_like(simulation.track_length) * middle[:, None, None].astype(np.float32)
        simulations.append(replace(simulation, track_length=tracks))
        kernels.append(SimpleNamespace(range_mm=float(range_mm("proton", energy)) * stretch))
    spectra = depth_spectra(simulations, kernels)
    assert spectra.energy_mev_u.tolist() == [70.0, 150.0, 230.0]
    for row, reach, simulation in zip(spectra.track_length, spectra.range_mm, simulations[::2], strict=True):
        step = simulation.spectrum_spacing_mm
        depths = np.maximum(spectra.part * reach, 0.5 * step)  # the surface has the first slab
        np.testing.assert_allclose(row[:, 0, 0], depths, rtol=1e-5)


def test_built_data_are_written_and_read(tmp_path, built):
    write_base_data(tmp_path / "small.npz", built)
    again = read_base_data(tmp_path / "small.npz")
    for a, b in zip(built.kernels, again.kernels, strict=True):
        np.testing.assert_array_equal(b.depth_mm, a.depth_mm)
        np.testing.assert_allclose(b.dose, a.dose, rtol=2 * RELATIVE_ROUNDING)
        np.testing.assert_allclose(b.sigma_mm, a.sigma_mm, rtol=2 * RELATIVE_ROUNDING)
        np.testing.assert_allclose(b.letd, a.letd, rtol=2 * RELATIVE_ROUNDING)
    assert again.provenance == built.provenance


def test_built_data_make_a_machine_work(low_energies, built):
    commissioned = replace(low_energies, base_data=built)
    between = commissioned.base_data.kernel(74.0)
    low, high = built.kernels[0].range_mm, built.kernels[-1].range_mm
    assert low < between.range_mm < high


@pytest.mark.physics
def test_a_part_of_the_shipped_data_made_again():
    shipped = machine("generic_proton")
    kernel = shipped.base_data.kernels[6]
    histories = 5000
    curves = DepthCurves(simulate(shipped, kernel.energy_mev_u, histories, seed=99))
    # Straggling and energy spread blur the range by 2 %; so many particles know its mean to 0.03 %, and
    # shipped data were smoothed over energy.
    assert curves.range_mm == pytest.approx(kernel.range_mm, rel=0.0015)
    parts = np.concatenate([np.arange(0.05, 0.9, 0.05), np.arange(0.9, 1.02, 0.005)])
    dose, letd = curves.at(parts)
    known = np.interp(parts * kernel.range_mm, kernel.depth_mm, kernel.dose)
    # In a bin of 0.125 % of the range particles differ by 25 % in the plateau: 2 % is five standard
    # deviations and more. The edge moves with the range, 10 % of the peak in 0.5 % of it.
    np.testing.assert_allclose(dose[parts < 0.9], known[parts < 0.9], rtol=0.02)
    np.testing.assert_allclose(dose, known, atol=0.05 * known.max())
    mean = np.interp(parts * kernel.range_mm, kernel.depth_mm, (kernel.letd * kernel.weight).sum(axis=1))
    near = (parts > 0.95) & (parts < 1.0)
    np.testing.assert_allclose(letd[near], mean[near], rtol=0.05)
