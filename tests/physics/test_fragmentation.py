import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isodose.physics.elements import ELEMENTS, element
from isodose.physics.final_state import BINDING, ENERGY, LOCAL, MAX_SECONDARIES, NEUTRAL, UX, UZ
from isodose.physics.final_state import SPECIES as KIND
from isodose.physics.fragmentation import fragment, fragmentation_tables
from isodose.physics.ion_cross_sections import reaction_cross_section
from isodose.physics.random import start
from isodose.physics.species import CHARGE, NUCLEONS, SPECIES, species

TABLES = fragmentation_tables()


def event(ion: int, energy: float, target: int, history: int) -> tuple[np.ndarray, np.ndarray]:
    stream, out, budget = np.zeros(1, dtype=np.uint64), np.zeros((MAX_SECONDARIES, 5)), np.zeros(3)
    start(stream, 5, history)
    n = fragment(ion, energy, target, TABLES, stream, out, budget)
    return out[:n], budget


def events(ion: str, energy: float, target: str, number: int) -> np.ndarray:
    index, where = species(ion).index, element(target).index
    return np.concatenate([event(index, energy, where, history)[0] for history in range(number)])


@settings(max_examples=300, deadline=None)
@given(
    ion=st.integers(1, len(SPECIES) - 1),
    target=st.integers(0, len(ELEMENTS) - 1),
    energy=st.floats(0.5, 450.0),
    history=st.integers(0, 2**40),
)
def test_energy_is_conserved(ion: int, target: int, energy: float, history: int) -> None:
    rows, budget = event(ion, energy, target, history)
    available = energy * NUCLEONS[ion]
    assert rows[:, ENERGY].sum() + budget.sum() == pytest.approx(available, rel=1e-9)
    assert budget[LOCAL] >= 0.0
    assert budget[NEUTRAL] >= 0.0
    assert np.all(rows[:, ENERGY] > 0.0)
    assert np.all(rows[:, ENERGY] < 1.5 * available)
    assert np.sum(rows[:, UX : UZ + 1] ** 2, axis=1) == pytest.approx(np.ones(len(rows)))


@pytest.mark.parametrize("ion", ["d", "He3", "He4", "Li7", "Be9", "B11", "C12", "N14", "O16"])
def test_charge_is_conserved_on_hydrogen(ion: str) -> None:
    projectile = species(ion)
    for history in range(200):
        rows, _ = event(projectile.index, 150.0, element("H").index, history)
        kinds = rows[:, KIND].astype(int)
        # the target's proton is a row, unless it is too slow and deposited locally
        assert CHARGE[kinds].sum() - projectile.charge in (0, 1)
        assert NUCLEONS[kinds].sum() <= projectile.nucleons + 1


def test_same_stream_same_event() -> None:
    first, _ = event(species("C12").index, 290.0, element("O").index, 42)
    second, _ = event(species("C12").index, 290.0, element("O").index, 42)
    assert np.array_equal(first, second)


def test_slow_projectile_is_absorbed() -> None:
    rows, budget = event(species("C12").index, 5.0, element("O").index, 1)
    assert len(rows) == 0
    assert budget[LOCAL] == 60.0
    assert budget[BINDING] == 0.0


def fast(rows: np.ndarray, name: str, least_mev_u: float) -> np.ndarray:
    ion = species(name)
    return rows[(rows[:, KIND] == ion.index) & (rows[:, ENERGY] > least_mev_u * ion.nucleons)]


@pytest.mark.physics
def test_fragments_keep_the_velocity_of_the_beam() -> None:
    rows = events("C12", 275.0, "O", 6000)
    for name in ("He4", "Li7", "B11", "C11"):
        median = np.median(fast(rows, name, 100.0)[:, ENERGY]) / species(name).nucleons
        # Geant4 QMD at 274 MeV/u: medians 265 to 273 MeV/u, 1 to 3 % below the beam
        assert 0.95 < median / 275.0 < 1.0


# Protons of 12C on C, mb/sr at 60 and 90 degrees (EXFOR O2628, Mattei et al. 2020); its energy threshold is
# taken as 30 MeV. The spectrum at large angles is the model's own, so 35 %.
@pytest.mark.physics
@pytest.mark.parametrize(("energy", "at60", "at90"), [(153.0, 79.0, 12.5), (281.0, 129.0, 23.6)])
def test_protons_at_large_angles(energy: float, at60: float, at90: float) -> None:
    number = 12000
    rows = fast(events("C12", energy, "C", number), "p", 30.0)
    angle = np.degrees(np.arccos(rows[:, UZ]))
    sigma = float(reaction_cross_section(species("C12"), element("C"), energy))
    for centre, expected in ((60.0, at60), (90.0, at90)):
        solid = 2.0 * np.pi * (np.cos(np.radians(centre - 8)) - np.cos(np.radians(centre + 8)))
        found = np.sum(abs(angle - centre) < 8.0) * sigma / number / solid
        assert found == pytest.approx(expected, rel=0.35)


# FOOT 2025 (EXFOR D8111): angular distributions of 16O on C at 400 MeV/u in b/sr
@pytest.mark.physics
def test_angles_of_oxygen_fragments() -> None:
    number = 20000
    rows = events("O16", 400.0, "C", number)
    sigma = float(reaction_cross_section(species("O16"), element("C"), 400.0))
    angle, charge = np.degrees(np.arccos(rows[:, UZ])), CHARGE[rows[:, KIND].astype(int)]
    for z, least, most, expected in (
        (7, 0.0, 0.6, 158.0),
        (6, 0.6, 1.2, 51.0),
        (6, 1.2, 1.8, 19.1),
        (5, 0.6, 1.2, 20.1),
        (2, 0.6, 1.2, 82.0),
        (2, 2.4, 3.0, 32.0),
    ):
        solid = 2.0 * np.pi * (np.cos(np.radians(least)) - np.cos(np.radians(most)))
        found = np.sum((charge == z) & (angle >= least) & (angle < most)) * sigma / number / solid / 1000.0
        # counting statistics 3 to 5 %, the measurement 5 to 10 %
        assert found == pytest.approx(expected, rel=0.25)
