"""Quantities by name, and what is made of their names."""

import pytest

from isodose.dose.quantity import CLUSTER_DOSES, Quantity
from isodose.errors import InputError


def test_names_are_unique_and_found():
    assert len({q.key for q in Quantity}) == len({q.stem for q in Quantity}) == len(Quantity)
    assert all(Quantity.of(q.key) is q for q in Quantity)
    with pytest.raises(InputError, match=r"found 'cluster:F11', expected one of dose, .*cluster:F10"):
        Quantity.of("cluster:F11")


def test_cluster_doses():
    assert [q.cluster_size for q in CLUSTER_DOSES] == [f"F{k}" for k in range(1, 11)]
    four = Quantity.of("cluster:F4")
    assert (four, four.unit, four.stem) == (Quantity.CLUSTER_F4, "1/kg", "cluster_f4")
    assert four.adds_up
    assert Quantity.RBE_DOSE.adds_up
    assert not Quantity.LETD.adds_up
    assert Quantity.LETD.cluster_size is None
