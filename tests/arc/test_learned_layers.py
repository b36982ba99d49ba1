"""The U-Net as a selector, on a built-in head in coarse voxels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isodose.arc.control_points import arc
from isodose.arc.exact_programme import ExactProgramme
from isodose.arc.layer_counting import count_layers, layer_image
from isodose.arc.learned_evaluation import UNET, compare_layers, mean_answer, task_of
from isodose.arc.learned_layers import LearnedLayers
from isodose.arc.selection import SelectionTask, count_cost
from isodose.arc.spot_counts import SpotLattice, count_spots
from isodose.arc.switch_table import SwitchTable
from isodose.errors import InputError, IsodoseWarning, MissingExtraError
from isodose.learn.layer_weights import shipped_weights
from isodose.machine.machine_file import machine
from isodose.patient.builtin import builtin_patient

UNSEEN_SEED = 100_000
"""Of a head that no shipped network was trained on."""


@pytest.fixture(scope="module")
def counts():
    head = builtin_patient("head", 4.0, UNSEEN_SEED)
    lattice = SpotLattice(spacing_mm=8.0)
    return count_spots(head, "PTV", machine("generic_proton"), [arc()], ["Brainstem"], lattice)


@pytest.fixture(scope="module")
def image(counts):
    return layer_image(counts)


@pytest.fixture(scope="module")
def task(counts):
    return SelectionTask(count_cost(counts), SwitchTable.preset("cyclotron", counts.energies_mev_u))


def test_worth_is_what_a_layer_costs_less_than_a_useless_one(image, task):
    allowed = np.isfinite(task.cost)
    np.testing.assert_array_equal(image.allowed, allowed)
    np.testing.assert_allclose(image.worth[allowed], 0.9 - task.cost[allowed], atol=1e-6)
    rebuilt = task_of(image, shipped_weights("aligned"))
    np.testing.assert_allclose(rebuilt.cost, task.cost, atol=1e-6)
    np.testing.assert_array_equal(rebuilt.table.seconds, task.table.seconds)
    assert rebuilt.time_weight == task.time_weight


def test_the_aligned_network_is_close_to_the_exact_programme(image, task):
    least = ExactProgramme().select(task).total_cost
    found = LearnedLayers(image, shipped_weights("aligned")).select(task)
    assert least <= found.total_cost * (1.0 + 1e-9) <= 1.05 * least


@pytest.mark.parametrize("loss", ["aligned", "spread"])
def test_budgets_are_kept(image, task, loss):
    network = LearnedLayers(image, shipped_weights(loss))
    budget = 0.6 * network.select(task).switching_s
    assert network.select(replace(task, budget_s=budget)).switching_s <= budget + 1e-6


def test_without_a_chain_each_control_point_has_its_likeliest_layer(image, task):
    network = LearnedLayers(image, replace(shipped_weights("aligned"), chain=False))
    np.testing.assert_array_equal(network.select(task).energies, network.scores().argmax(axis=1))


def test_the_spread_network_spreads_better_than_any_other(image):
    (found,) = compare_layers({"head": image}, {"shipped": shipped_weights("spread")})
    spread = {name: answer.spread for name, answer in found.answers.items()}
    assert max(spread, key=lambda name: spread[name]) == UNET
    mean, largest = mean_answer([found], UNET)
    assert mean.gap == largest == found.answers[UNET].gap
    assert sum(mean.transitions) == image.delivered.size - 1


def test_networks_are_not_judged_by_what_they_have_seen(image):
    weights = shipped_weights("aligned")
    seen = weights.provenance["images"][0]
    assert not compare_layers({seen: image}, {"shipped": weights})
    assert UNET in compare_layers({"another": image}, {"shipped": weights})[0].answers


def test_control_points_without_layers_are_left_out(image, task):
    cost, target = task.cost.copy(), image.target.copy()
    cost[10:13], target[10:13] = np.inf, 0.0
    less = replace(task, cost=cost)
    found = LearnedLayers(replace(image, target=target)).select(less)
    assert found.energies.size == task.slots.size - 3


@pytest.mark.parametrize("spacing", [2.0, 15.0])
def test_any_number_of_control_points(spacing):
    head = builtin_patient("head", 4.0, UNSEEN_SEED)
    lattice = SpotLattice(spacing_mm=10.0, layer_spacing_mm=5.0)
    arcs = [arc(start_deg=-90.0, stop_deg=90.0, spacing_deg=spacing)]
    counted = count_spots(head, "PTV", machine("generic_proton"), arcs, ["Brainstem"], lattice)
    asked = SelectionTask(count_cost(counted), SwitchTable.preset("cyclotron", counted.energies_mev_u))
    found = LearnedLayers(layer_image(counted)).select(asked)
    assert found.energies.size == asked.slots.size


def test_what_the_network_does_not_know_is_refused(counts, image, task):
    with pytest.raises(InputError, match="1, for a U-Net"):
        LearnedLayers(image).select(replace(task, layers_per_point=2))
    with pytest.raises(InputError, match="other layers"):
        LearnedLayers(image).select(replace(task, cost=np.ones_like(task.cost)))
    with pytest.raises(InputError, match="at least one organ"):
        layer_image(replace(counts, organs={}))


def test_other_switching_times_are_warned_of(image, task):
    table = SwitchTable.preset("synchrotron", task.table.energies_mev_u)
    with pytest.warns(IsodoseWarning, match=r"5\.5 s up, 0\.6 s down"):
        LearnedLayers(image).select(replace(task, table=table))


def test_without_torch_the_selector_says_what_to_install(image, monkeypatch):
    monkeypatch.setattr("isodose.learn.torch_extra.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"isodose\[learn\]"):
        LearnedLayers(image)


def test_counts_of_a_data_set_are_those_of_the_selector(ball):
    counted = count_layers(ball, "CTV", ["organ"], machine("generic_proton"))
    assert counted.delivered.size == 72
    assert counted.target.max() == pytest.approx(1.0)
    assert np.all(counted.avoiding <= 1.0)
