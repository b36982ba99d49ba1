import numpy as np
import pytest

from isodose.physics.fragment_channels import (
    NEUTRON,
    channel_probabilities,
    fragmentation_tables,
    partitions,
    q_values,
)
from isodose.physics.fragment_yields import DEFAULT_ERROR, ENERGY_NODES_MEV_U, HEAVIER, MEASURED
from isodose.physics.species import CHARGE, NUCLEONS, SPECIES, species

Z = np.append(CHARGE, 0)
A = np.append(NUCLEONS, 1)


@pytest.mark.parametrize("ion", [s for s in SPECIES if s.nucleons > 1], ids=lambda s: s.name)
def test_every_channel_conserves_charge_and_nucleons(ion) -> None:
    counts = partitions(ion)
    assert np.all(counts @ Z == ion.charge)
    assert np.all(counts @ A == ion.nucleons)
    assert len(np.unique(counts, axis=0)) == len(counts)


def test_helium_has_all_five_channels() -> None:
    found = {tuple(row[[0, 1, 2, 3, NEUTRON]]) for row in partitions(species("He4"))}
    assert found == {(0, 0, 0, 1, 1), (1, 0, 1, 0, 0), (0, 2, 0, 0, 0), (1, 1, 0, 0, 1), (2, 0, 0, 0, 2)}


@pytest.mark.parametrize(
    ("fragments", "q"),
    [
        ({"He4": 3}, -7.27),
        ({"B11": 1, "p": 1}, -15.96),
        ({"C11": 1, "n": 1}, -18.72),
        ({"B10": 1, "d": 1}, -25.19),
    ],
)
def test_q_values_of_carbon(fragments: dict[str, int], q: float) -> None:
    row = np.zeros((1, NEUTRON + 1), dtype=np.int64)
    for name, count in fragments.items():
        row[0, NEUTRON if name == "n" else species(name).index] = count
    assert q_values(species("C12"), row)[0] == pytest.approx(q, abs=0.01)


@pytest.mark.physics
@pytest.mark.parametrize("case", MEASURED, ids=str)
def test_fitted_yields_are_the_measured_ones(case: tuple[str, int, float]) -> None:
    ion = species(case[0])
    counts = partitions(ion)
    p = channel_probabilities(ion, counts, *case[1:])
    assert p.sum() == pytest.approx(1.0)
    for name, mb in MEASURED[case].production_mb.items():
        found = MEASURED[case].reaction_mb * float(p @ counts[:, species(name).index])
        error = MEASURED[case].relative_error.get(name, DEFAULT_ERROR)
        assert found == pytest.approx(mb, rel=0.5 * error), name


@pytest.mark.physics
def test_unmeasured_projectile_loses_a_nucleon_as_often_as_carbon() -> None:
    ion = species("B11")
    counts = partitions(ion)
    p = channel_probabilities(ion, counts, HEAVIER, 300.0)
    # 11C of 12C: 72 of 800 mb; taken over within the 30 % that is allowed
    assert p @ counts[:, species("B10").index] == pytest.approx(0.09, rel=0.3)


def test_tables_hang_together() -> None:
    tables = fragmentation_tables()
    assert tables is fragmentation_tables()
    assert tables.cumulative.shape == (2, len(ENERGY_NODES_MEV_U), len(tables.q_value_mev))
    for ion in SPECIES[1:]:
        first, last = tables.channel_start[ion.index : ion.index + 2]
        assert last > first
        rows = tables.cumulative[:, :, first:last]
        assert np.all(np.diff(rows, axis=2) >= 0.0)
        assert np.all(rows[:, :, -1] == 1.0)
        for channel in range(first, last):
            members = tables.members[tables.member_start[channel] : tables.member_start[channel + 1]]
            assert Z[members].sum() == ion.charge
            assert A[members].sum() == ion.nucleons
            assert tables.singles[channel] == np.sum(A[members] == 1)
