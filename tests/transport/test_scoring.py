import numpy as np
import pytest

from isodose.physics.species import species
from isodose.transport.particle_classes import (
    CLASSES,
    PAPER_CLASSES,
    PAPER_ENERGIES_MEV,
    class_of_species,
    default_energy_edges_mev,
)
from isodose.transport.scoring import TRACK_LENGTH, add, energy_class_bin, first_bins
from isodose.transport.spectrum_sums import SpectrumSums, spectrum_table


def test_classes_and_bins_are_those_of_the_paper():
    assert len(PAPER_CLASSES) == 10
    assert PAPER_ENERGIES_MEV.size == 84
    assert PAPER_ENERGIES_MEV[[0, 5, 11, 17, 54, 83]].tolist() == [1.0, 10.0, 40.0, 100.0, 1050.0, 3000.0]
    edges = default_energy_edges_mev()
    assert np.all(np.diff(edges) > 0)
    for k, centre in enumerate(PAPER_ENERGIES_MEV):
        assert edges[k] < centre < edges[k + 1]
    assert edges[-1] > 430 * 16


def test_every_species_has_a_class():
    classes = class_of_species()
    assert CLASSES[classes[species("He4").index]] == "He4"
    assert CLASSES[classes[species("Li7").index]] == "Li"
    assert classes.min() >= 0
    assert classes.max() < len(CLASSES)


def test_energy_bins_agree_with_a_search():
    edges = default_energy_edges_mev()
    first = first_bins(edges)
    for energy in np.random.default_rng(1).uniform(0.0, 7200.0, 5000):
        wanted = min(max(np.searchsorted(edges, energy, side="right") - 1, 0), edges.size - 2)
        assert energy_class_bin(energy, edges, first) == wanted


def test_sparse_sums_agree_with_a_dictionary():
    edges = np.array([0.0, 10.0, 50.0, 200.0])
    table = spectrum_table(TRACK_LENGTH, edges, np.ones(1, dtype=np.uint8))
    rng = np.random.default_rng(2)
    sums = SpectrumSums(edges)
    batches = []
    for _ in range(4):
        expected = {}
        for _ in range(3):
            for _ in range(200):
                voxel, kind, energy, amount = (
                    rng.integers(50),
                    rng.integers(3),
                    rng.uniform(0, 250),
                    rng.random(),
                )
                add(table, voxel, kind, energy, amount)
                energy_bin = min(np.searchsorted(edges, energy, side="right") - 1, 2)
                key = (voxel * len(CLASSES) + class_of_species()[kind]) * 3 + energy_bin
                expected[key] = expected.get(key, 0.0) + amount
            sums.empty_tables([table])
        sums.close_batch(100)
        batches.append(expected)
    result = sums.result()
    assert np.all(np.diff(result.key) > 0)
    assert set(result.key) == set().union(*batches)
    for key, value, variance in zip(result.key, result.value, result.variance, strict=True):
        per_history = np.array([b.get(key, 0.0) / 100 for b in batches])
        assert value == pytest.approx(per_history.mean())
        # squares are kept in float32
        assert variance == pytest.approx(per_history.var(ddof=1) / 4, rel=1e-5, abs=1e-15)
