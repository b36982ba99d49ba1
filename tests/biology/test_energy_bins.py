from __future__ import annotations

import numpy as np
import pytest

from isodose.biology.energy_bins import energy_bins, ion_of_class, unseen_energy_mev
from isodose.biology.radiation_model import let_kev_um
from isodose.errors import InputError
from isodose.machine.machine_file import machine
from isodose.physics.ranges import csda_range
from isodose.transport.particle_classes import CLASSES, default_energy_edges_mev

_EDGES = default_energy_edges_mev()


def test_every_class_has_an_ion():
    assert [ion_of_class(name).charge for name in CLASSES] == [
        6,
        6,
        6,
        5,
        5,
        1,
        2,
        2,
        1,
        1,
        3,
        4,
        7,
        8,
        2,
        5,
        6,
        6,
    ]
    with pytest.raises(InputError, match="particle class: found 'F19'"):
        ion_of_class("F19")


def test_parts_of_a_bin_add_up_and_a_constant_stays():
    bins = energy_bins(CLASSES, _EDGES)
    assert bins.part.sum(axis=-1) == pytest.approx(1.0)
    assert bins.part.min() >= 0.0
    assert bins.average(lambda ion, energy: np.full(energy.shape, 7.0)) == pytest.approx(7.0)


@pytest.mark.physics
def test_ions_that_slow_down_and_stop_lose_all_their_energy():
    # One ion of each class that starts at an edge leaves dR of track in each bin, and none below the last
    # step. Its dose must be its energy.
    for name in ("p", "He4", "C12", "O"):
        ion = ion_of_class(name)
        unseen = unseen_energy_mev(ion)
        seen = np.clip(_EDGES, unseen, 1000.0 * ion.nucleons)
        track_cm = np.diff(csda_range(ion, seen / ion.nucleons))  # water of 1 g/cm3
        start = 40  # an edge well inside the range of all four
        assert _EDGES[start] > 3.0 * unseen
        dose = energy_bins((name,), _EDGES).dose_per_track[0]
        energy = float(np.sum((track_cm * dose)[:start]))
        # The bin that the last step falls into is cut at its mean place; ranges are splines of S.
        assert energy == pytest.approx(_EDGES[start], rel=2e-3)


@pytest.mark.physics
def test_a_narrow_bin_has_the_values_of_its_energy():
    edges = np.array([1199.0, 1201.0])
    bins = energy_bins(("C12",), edges)
    ion = ion_of_class("C12")
    let = bins.average(lambda i, e: let_kev_um(i, e))[0, 0]
    # The only bin, and so the lowest above the end of the track, takes the 37 MeV of the end as well.
    end = unseen_energy_mev(ion)
    assert bins.dose_per_track[0, 0] == pytest.approx(10 * let_kev_um(ion, 100.0) * (1 + end / 2.0), rel=1e-4)
    assert let > let_kev_um(ion, 100.0)
    two = energy_bins(("C12",), np.array([100.0, 1199.0, 1201.0]))
    assert two.dose_per_track[0, 1] == pytest.approx(10 * let_kev_um(ion, 100.0), rel=1e-6)


@pytest.mark.parametrize("edges", [[0.0], [1.0, 1.0], [-1.0, 2.0], [2.0, 1.0]])
def test_edges_that_do_not_ascend_are_refused(edges):
    with pytest.raises(InputError, match="energy_edges_mev"):
        energy_bins(("p",), np.array(edges))


@pytest.mark.physics
@pytest.mark.parametrize("ion", ["proton", "helium", "carbon", "oxygen"])
def test_shipped_spectra_have_their_peak_where_the_dose_has_it(ion):
    data = machine(f"generic_{ion}").base_data
    spectra = data.spectra
    bins = energy_bins(spectra.classes, spectra.energy_edges_mev)
    dose = np.tensordot(spectra.track_length, bins.dose_per_track, axes=2)
    near = (spectra.part > 0.899) & (spectra.part < 1.046)
    shifts = []
    for row, energy, reach in zip(dose, spectra.energy_mev_u, spectra.range_mm, strict=True):
        kernel, depth = data.kernel(float(energy)), spectra.part[near] * reach
        before, at, behind = (np.interp(depth + x, kernel.depth_mm, kernel.dose) for x in (-0.1, 0.0, 0.1))
        # Least squares: the dose of the spectra is that of the kernel at other depths, to first order.
        columns = np.stack([at, (behind - before) / 0.2], axis=1)
        scale, slope = np.linalg.lstsq(columns, row[near], rcond=None)[0]
        shifts.append(slope / scale)
    # The simulations know their range to 0.02 mm (one standard deviation of what is seen over energy).
    assert np.abs(shifts).max() < 0.07
    assert abs(np.mean(shifts)) < 0.03
