from __future__ import annotations

import numpy as np
import pytest

from isodose.biology.amorphous_track import GY_UM2_PER_KEV_UM, kiefer_chatterjee, scholz_kraft
from isodose.biology.radial_profile import RadialProfile, disc_mean, disc_means
from isodose.errors import InputError


@pytest.mark.physics
@pytest.mark.parametrize(
    ("charge", "energy", "let", "core_gy", "points"),
    [
        # Digitised from Inaniwa 2010 (read off a figure: 2 % at best); a core holds what the penumbra leaves.
        (3, 50.0, 11.16, 26383.0, {0.233: 0.2077, 4.904: 4.72e-4}),
    ],
)
def test_kiefer_chatterjee_against_a_published_figure(charge, energy, let, core_gy, points):
    track = kiefer_chatterjee(charge, energy, let)
    assert track.at(0.0)[0, 0] == pytest.approx(core_gy, rel=0.02)
    for radius, gy in points.items():
        assert track.at(radius)[0, 0] == pytest.approx(gy, rel=0.02)


@pytest.mark.physics
def test_domain_specific_energy_against_a_published_figure():
    # Carbon of 50 MeV/u, 44.65 keV/um, domain of 0.32 um: digitised from Inaniwa 2010 (read off a figure,
    # good to 8 %), and computed by another code that sums coarsely (two digits at the end). Below saturation
    # both are plain z.
    track = kiefer_chatterjee(6, 50.0, 44.65)
    figure = {0.654: 0.1286, 1.85: 0.01332, 12.3: 2.93e-4}
    code = {0.654: 0.1213, 1.85: 0.01348, 12.3: 2.9e-4}
    z = disc_mean(track, 0.32, np.array([list(figure)]))[0]
    assert z == pytest.approx(list(figure.values()), rel=0.08)
    assert z == pytest.approx(list(code.values()), rel=0.04)


@pytest.mark.parametrize("radius", [0.05, 0.32, 5.0])
@pytest.mark.parametrize("energy", [0.02, 0.5, 3.0, 50.0, 900.0])
def test_specific_energy_adds_up_to_the_let(radius, energy):
    let = 30.0
    for track in (kiefer_chatterjee(1, energy, 1000.0), scholz_kraft(energy, let)):
        total = track.plane_integral()[0]
        means = disc_means(track, radius)
        assert np.sum(means.mean * means.area_um2) == pytest.approx(total, rel=1e-6)
    assert total == pytest.approx(GY_UM2_PER_KEV_UM * let, rel=1e-12)


@pytest.mark.parametrize("impact", [0.0, 0.9, 1.9, 2.0, 2.2, 3.3, 3.6])
def test_mean_over_a_disc_against_a_sum_over_points(impact):
    # A disc of 2 um and a profile with all three terms; midpoints of a polar mesh around the disc's centre.
    profile = RadialProfile(np.array([[0.0, 0.3, 1.5]]), np.array([[[4.0, 0, 0], [0.5, 0.2, 0.01]]]))
    radius = 2.0 * np.sqrt((np.arange(2000) + 0.5) / 2000)  # rings of equal area
    angle = 2 * np.pi * (np.arange(1000) + 0.5) / 1000
    distance = np.hypot(impact + radius[:, None] * np.cos(angle), radius[:, None] * np.sin(angle))
    points = profile.at(distance.ravel()).mean()
    mean = disc_mean(profile, 2.0, np.array([[impact]]))[0, 0]
    # The mesh's error at the edges of the rings, where the profile jumps.
    assert mean == pytest.approx(points, rel=2e-3, abs=1e-12)


def test_profile_is_that_of_its_rings():
    profile = RadialProfile(np.array([[0.0, 0.3, 1.5]]), np.array([[[4.0, 0, 0], [0.5, 0.2, 0.01]]]))
    assert profile.at([0.0, 0.29, 1.0, 1.5])[0] == pytest.approx([4.0, 4.0, 0.71, 0.0])
    rings = np.pi * (4.0 * 0.09 + 0.5 * (2.25 - 0.09) + 0.01 * (1 / 0.09 - 1 / 2.25))
    assert profile.plane_integral()[0] == pytest.approx(rings + 2 * np.pi * 0.2 * np.log(5.0))


def test_let_below_the_penumbra_is_refused():
    with pytest.raises(InputError, match=r"let_kev_um: found 5 at 10 MeV/u, Z = 6, expected at least"):
        kiefer_chatterjee(6, 10.0, 5.0)
