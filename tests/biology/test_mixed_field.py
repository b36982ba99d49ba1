from __future__ import annotations

import numpy as np
import pytest

from isodose.biology.energy_bins import energy_bins, ion_of_class
from isodose.biology.linear_quadratic import effect, photon_dose
from isodose.biology.mixed_field import (
    HYDROGEN,
    high_let_part,
    letd_depth_weighting,
    letd_voxel_values,
    model_depth_weightings,
    model_voxel_values,
)
from isodose.biology.mkm import Mkm
from isodose.biology.radiation_model import (
    Coefficients,
    PhotonResponse,
    RadiationModel,
    coefficients_of,
    let_kev_um,
)
from isodose.dose.quantity import Quantity
from isodose.dose.spectra import Spectra
from isodose.errors import InputError
from isodose.machine.base_data import DepthSpectra
from isodose.patient.grid import Grid
from isodose.transport.particle_classes import default_energy_edges_mev

_GRID = Grid((0, 0, 0), (2, 2, 2), (1, 1, 3))
_CLASSES = ("p", "He4")
# Narrow bins, so that what is averaged inside them is nearly one energy; the lowest keeps the ends of tracks.
_EDGES = np.array([10.0, 11.0, 99.9, 100.1, 399.9, 400.1])


class _TwoIons(RadiationModel):
    """Alpha 0.2 and beta 0.06 for hydrogen, 0.6 and 0.03 for helium."""

    def coefficients(self, charge, energy_mev_u, let_kev_um):
        ones = np.ones(np.shape(energy_mev_u))
        alpha, beta = {1: (0.2, 0.06), 2: (0.6, 0.03)}[charge]
        return Coefficients(alpha * ones, beta * ones)


_MODEL = _TwoIons("two ions", PhotonResponse(0.1, 0.05))


def _tracks() -> np.ndarray:
    """Track lengths ``(class, bin)`` giving 1.5 of dose by 100 MeV protons and 0.5 by 400 MeV He4."""
    bins = energy_bins(_CLASSES, _EDGES)
    tracks = np.zeros((2, 5))
    tracks[0, 2] = 1.5 / bins.dose_per_track[0, 2]
    tracks[1, 4] = 0.5 / bins.dose_per_track[1, 4]
    return tracks


def _voxel_spectra() -> Spectra:
    """The mixture in voxel 2, protons alone in voxel 0, nothing in voxel 1."""
    tracks = _tracks()
    key = np.array([2, 10 + 10 + 2, 10 + 10 + 5 + 4])
    value = np.array([1.0, tracks[0, 2], tracks[1, 4]])
    return Spectra(_CLASSES, _EDGES, key, value, np.zeros(3))


@pytest.mark.physics
def test_zaider_and_rossi():
    # d = (1.5, 0.5), alpha = (0.2, 0.6), beta = (0.06, 0.03): the arithmetic mean of beta would be 0.0525.
    values = model_voxel_values(_voxel_spectra(), _GRID, _MODEL)
    alpha, sqrt_beta = (values[q][0, 0, 2] for q in (Quantity.ALPHA, Quantity.SQRT_BETA))
    assert alpha == pytest.approx(0.3, rel=1e-6)
    assert sqrt_beta**2 == pytest.approx(0.0515349, rel=2e-6)
    total = effect(2.0, float(alpha), float(sqrt_beta) ** 2)
    assert total == pytest.approx(0.80614, abs=6e-6)
    assert photon_dose(total, 0.1, 0.05) == pytest.approx(3.13797, abs=2e-5)


def test_voxels_without_tracks_are_zero():
    values = model_voxel_values(_voxel_spectra(), _GRID, _MODEL)
    assert values[Quantity.ALPHA][0, 0] == pytest.approx([0.2, 0.0, 0.3], rel=1e-6)
    assert values[Quantity.SQRT_BETA][0, 0, 1] == 0.0


@pytest.mark.physics
def test_letd_is_weighted_with_the_dose():
    proton, helium = (float(let_kev_um(ion_of_class(name), 100.0)) for name in _CLASSES)
    letd = letd_voxel_values(_voxel_spectra(), _GRID)[0, 0]
    assert letd == pytest.approx([proton, 0.0, 0.75 * proton + 0.25 * helium], rel=1e-5)
    hydrogen = letd_voxel_values(_voxel_spectra(), _GRID, HYDROGEN)[0, 0]
    assert hydrogen == pytest.approx([proton, 0.0, proton], rel=1e-5)


def test_part_of_the_dose_above_a_let():
    # 0.73 and 2.9 keV/um
    assert high_let_part(_voxel_spectra(), _GRID, 1.0)[0, 0] == pytest.approx([0.0, 0.0, 0.25], rel=1e-6)
    assert high_let_part(_voxel_spectra(), _GRID, 10.0).max() == 0.0


def test_along_a_beam():
    tracks = np.zeros((1, 3, 2, 5), dtype=np.float32)
    tracks[0, 0] = _tracks()
    tracks[0, 1, 0, 2] = 1.0
    part = np.array([0.0, 0.5, 1.5])
    spectra = DepthSpectra(_CLASSES, _EDGES, np.array([100.0]), np.array([77.0]), part, tracks)
    weightings = model_depth_weightings(spectra, _MODEL)
    # Behind the last track its value is kept.
    assert weightings[Quantity.ALPHA].value[0] == pytest.approx([0.3, 0.2, 0.2], rel=1e-6)
    assert weightings[Quantity.SQRT_BETA].value[0, 0] ** 2 == pytest.approx(0.0515349, rel=2e-6)
    assert weightings[Quantity.ALPHA].part is part
    both, hydrogen = letd_depth_weighting(spectra), letd_depth_weighting(spectra, HYDROGEN)
    assert both.value[0, 0] > hydrogen.value[0, 0] == pytest.approx(hydrogen.value[0, 1])


def test_the_first_bin_is_averaged_over_the_bragg_peak():
    # Protons of 0 to 1.5 MeV: alpha of the MKM is highest at about 0.1 MeV, so that neither the bin's centre
    # nor an end stands for it. Reference: equal weights for equal steps in energy.
    edges = default_energy_edges_mev()
    spectra = Spectra(("p",), edges, np.array([0]), np.ones(1), np.zeros(1))
    alpha = model_voxel_values(spectra, Grid((0, 0, 0), (1, 1, 1), (1, 1, 1)), Mkm())[Quantity.ALPHA]
    proton = ion_of_class("p")
    energy = (np.arange(3000) + 0.5) * 1.5 / 3000
    expected = coefficients_of(Mkm(), proton, energy).alpha.mean()
    assert alpha.item() == pytest.approx(expected, rel=2e-3)
    assert expected > 1.1 * coefficients_of(Mkm(), proton, np.array([0.75])).alpha.item()


def test_spectra_of_another_grid_are_refused():
    small = Grid((0, 0, 0), (2, 2, 2), (1, 1, 2))
    with pytest.raises(InputError, match=r"spectra.key: found voxels 0 to 2, expected 0 to 1"):
        letd_voxel_values(_voxel_spectra(), small)


def test_an_empty_depth_spectrum_is_refused():
    tracks = np.zeros((1, 2, 2, 5), dtype=np.float32)
    spectra = DepthSpectra(
        _CLASSES, _EDGES, np.array([100.0]), np.array([77.0]), np.array([0.0, 1.0]), tracks
    )
    with pytest.raises(InputError, match="spectra at 100 MeV/u: found no track length"):
        model_depth_weightings(spectra, _MODEL)
