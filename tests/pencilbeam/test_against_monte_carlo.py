"""A proton field on slabs and a carbon field in a head, against the package's own Monte Carlo."""

import numpy as np
import pytest

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.patient.patient import Patient
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.transport.engine import MonteCarlo


def field(
    ion: str, energies: list[float], gantry: float, wide_mm: float, isocentre, step_mm: float = 6.0
) -> Plan:
    """Square field of spots; the deepest layer has the most particles, as a spread-out peak."""
    places = np.arange(-wide_mm, wide_mm + 0.1, step_mm)
    x, y = (a.ravel() for a in np.meshgrid(places, places))
    weights = np.linspace(0.25, 1.0, len(energies))
    layers = tuple(
        Layer(e, Spots(x, y, np.full(x.size, 1e6 * w))) for e, w in zip(energies, weights, strict=True)
    )
    return Plan("field", ion, f"generic_{ion}", (Beam("b", gantry, 0.0, isocentre, layers),))


def both(patient: Patient, plan: Plan, histories: int, spacing_mm: float) -> tuple[np.ndarray, ...]:
    """Doses, and the Monte Carlo's standard deviation."""
    fast = PencilBeam(spacing_mm=spacing_mm, threads=1).compute(patient, plan)
    slow: Dose = MonteCarlo(histories, spacing_mm=spacing_mm, threads=1, seed=5).compute(patient, plan)
    dose = Quantity.DOSE
    return fast.values[dose], slow.values[dose], slow.uncertainty[dose]


def check(fast: np.ndarray, slow: np.ndarray, sigma: np.ndarray, mean: float, part: float) -> None:
    """Where a field's dose is high, and voxel by voxel; voxels are chosen by the dose that has no noise."""
    most = float(fast.max())
    high = fast > 0.5 * most
    assert high.sum() > 300
    ratio = fast[high].sum(dtype=float) / slow[high].sum(dtype=float)
    noise = np.sqrt((sigma[high] ** 2).sum(dtype=float)) / slow[high].sum(dtype=float)
    assert noise < 0.005
    assert ratio == pytest.approx(1.0, abs=mean + 3.0 * noise)
    inside = fast > 0.1 * most
    allowed = np.hypot(2.0 * sigma, 0.02 * most)
    # Noise alone leaves more than 95 % within two deviations.
    assert (np.abs(fast - slow) < allowed)[inside].mean() > part
    # Fragments and neutrals that leave through the faces make up to 1 % each way.
    assert fast.sum(dtype=float) == pytest.approx(slow.sum(dtype=float), rel=0.02)


@pytest.mark.physics
def test_protons_on_slabs(box) -> None:
    """Bone and lung across half of the field each, 40 and 60 mm deep."""
    hu = np.zeros((28, 36, 28))
    hu[:, 5:8, :14] = 1525.0
    hu[:, 12:18, 14:] = -740.0
    plan = field("proton", [80.0, 87.0, 94.0, 100.0], 0.0, 18.0, (0.0, 0.0, 0.0))
    check(*both(box(hu, 3.0), plan, 40_000, 3.0), mean=0.005, part=0.93)


@pytest.mark.physics
def test_carbon_in_a_head(head) -> None:
    plan = field("carbon", [170.0, 180.0, 190.0, 200.0], 90.0, 15.0, (0.0, -10.0, 0.0), 5.0)
    check(*both(head, plan, 12_000, 4.0), mean=0.01, part=0.88)
