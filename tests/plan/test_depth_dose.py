"""The analytic depth dose against reference Monte Carlo, and spread-out peaks made of it."""

from pathlib import Path

import numpy as np
import pytest

from isodose.physics.species import species
from isodose.plan.depth_dose import YIELDS, DepthDose, depth_dose, energy_for_range, range_mm
from isodose.plan.plan import IONS
from isodose.plan.spread_out_peak import OVERSHOOT, Weighting, layer_fluence, power_law_weights

REFERENCE = Path(__file__).resolve().parents[2] / ".." / "shared" / "reference" / "transport"


def reference(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Depths in mm and dose per fluence in Gy mm2."""
    path = REFERENCE / f"{name}.npz"
    if not path.exists():
        pytest.skip("the reference results are not here")
    data = np.load(path)
    if "idd" in data:
        return data["depth_mm"], data["idd"]
    return data["z_mm"], data["edep_MeV_per_0p5mm"] * 2.0 * 1.602176634e-8 * 10.0


@pytest.mark.physics
@pytest.mark.parametrize(
    ("name", "ion", "energy", "spread", "tolerance"),
    [
        ("water_150_mono", "proton", 150.0, 0.0, 0.04),
        ("water_100_clin", "proton", 100.0, 0.9, 0.04),
        ("ch_c12_290_qmd", "carbon", 290.0, 0.0, 0.08),
        ("ch_c12_200_qmd", "carbon", 200.0, 0.0, 0.08),
    ],
)
def test_against_monte_carlo(name: str, ion: str, energy: float, spread: float, tolerance: float) -> None:
    depth, dose = reference(name)
    model = depth_dose(ion, energy, spread)
    for part in (0.02, 0.1, 0.25, 0.5, 0.75, 0.9):
        window = np.abs(depth - part * model.range_mm) < 2.5
        # The stated accuracy of the model; the average over 5 mm takes out the reference's noise.
        assert model.at(depth[window]).mean() == pytest.approx(dose[window].mean(), rel=tolerance)
    assert model.at(depth).max() == pytest.approx(dose.max(), rel=0.08)
    assert depth[model.at(depth).argmax()] == pytest.approx(depth[dose.argmax()], abs=1.5)


@pytest.mark.parametrize("ion", list(IONS))
def test_energy_and_range_are_inverse(ion: str) -> None:
    energies = np.array([80.0, 150.0, 220.0])
    np.testing.assert_allclose(energy_for_range(ion, range_mm(ion, energies)), energies, rtol=1e-6)


@pytest.mark.parametrize("ion", list(IONS))
def test_spread_blunts_the_peak_and_keeps_the_range(ion: str) -> None:
    sharp, blunt = depth_dose(ion, 150.0, 0.0), depth_dose(ion, 150.0, 1.5)
    assert blunt.range_mm == sharp.range_mm
    assert blunt.range_sigma_mm > 2 * sharp.range_sigma_mm
    assert blunt.gy_mm2.max() < 0.8 * sharp.gy_mm2.max()
    # The distal fall passes 80 % at the mean range (Bortfeld 1997), to a fraction of the straggling
    # and of the table's step.
    for curve in (sharp, blunt):
        behind = curve.depth_mm > curve.depth_mm[curve.gy_mm2.argmax()]
        r80 = np.interp(-0.8 * curve.gy_mm2.max(), -curve.gy_mm2[behind][:200], curve.depth_mm[behind][:200])
        assert r80 == pytest.approx(curve.range_mm, abs=0.3 * curve.range_sigma_mm + 0.1)


@pytest.mark.parametrize("ion", ["helium", "carbon", "oxygen"])
def test_fragments_do_not_outnumber_the_projectile(ion: str) -> None:
    projectile = species(IONS[ion])
    nucleons = sum(n * species(name).nucleons for name, n in YIELDS[ion].items())
    assert 0.6 * projectile.nucleons < nucleons < projectile.nucleons


@pytest.mark.parametrize("ion", list(IONS))
def test_energy_is_not_created(ion: str) -> None:
    energy = 200.0
    curve = depth_dose(ion, energy, 0.5)
    mev = np.trapezoid(curve.gy_mm2, curve.depth_mm) / 10 / (1.602176634e-10 * 100)
    total = energy * species(IONS[ion]).nucleons
    assert 0.7 * total < mev < total


def layers(ion: str, shallow: float, deep: float, spread: float = 0.6) -> list[DepthDose]:
    depth = deep + OVERSHOOT * depth_dose(ion, float(energy_for_range(ion, deep)), spread).range_sigma_mm
    curves = []
    while not curves or curves[-1].range_mm > shallow:
        curves.append(depth_dose(ion, float(energy_for_range(ion, depth)), spread))
        depth -= 1.25 * curves[-1].range_sigma_mm
    return curves[::-1]


@pytest.mark.parametrize("ion", list(IONS))
@pytest.mark.parametrize(("shallow", "deep"), [(100, 150), (60, 140), (100, 110)])
@pytest.mark.parametrize(("weighting", "flatness"), [("least_squares", 0.03), ("power_law", 0.06)])
def test_spread_out_peak_is_flat(
    ion: str, shallow: float, deep: float, weighting: str, flatness: float
) -> None:
    curves = layers(ion, shallow, deep)
    fluence = layer_fluence(curves, shallow, deep, 2.0, Weighting(weighting))
    assert np.all(fluence >= 0)
    depth = np.linspace(shallow + 2, deep - 2, 100)
    dose = sum(f * c.at(depth) for f, c in zip(fluence, curves, strict=True))
    np.testing.assert_allclose(dose, 2.0, rtol=flatness)
    behind = sum(f * c.at(deep + 12.0) for f, c in zip(fluence, curves, strict=True))
    # Little but the ions' fragments is left 12 mm behind.
    assert behind < (0.02 if ion == "proton" else 0.5)


def test_power_law_is_that_of_jette_and_chen() -> None:
    # Their eq. 6 for n + 1 even layers with exponent p: the first, any middle, and the last weight.
    n, p = 8, 1.6
    weights = power_law_weights(np.linspace(100.0, 140.0, n + 1), p)
    q = 1 - 1 / p
    k = np.arange(1, n)
    expected = np.concatenate(
        [
            [1 - (1 - 1 / (2 * n)) ** q],
            (1 - (k - 0.5) / n) ** q - (1 - (k + 0.5) / n) ** q,
            [(1 / (2 * n)) ** q],
        ]
    )
    np.testing.assert_allclose(weights, expected / expected.sum(), rtol=1e-12)


def test_one_layer_takes_all() -> None:
    assert power_law_weights(np.array([50.0]), 1.7).tolist() == [1.0]
    curve = depth_dose("proton", 100.0, 1.0)
    fluence = layer_fluence([curve], 76.0, 76.5, 1.0)
    assert fluence[0] * curve.at(76.2) == pytest.approx(1.0, rel=0.02)
