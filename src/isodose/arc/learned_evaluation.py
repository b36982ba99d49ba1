"""Networks that choose energy layers against the exact programme and the particle swarm."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from isodose.arc.exact_programme import ExactProgramme
from isodose.arc.learned_layers import LearnedLayers
from isodose.arc.particle_swarm import ParticleSwarm
from isodose.arc.selection import AVOIDING_WEIGHT, TARGET_WEIGHT, Selection, SelectionTask, Selector
from isodose.arc.switch_table import SwitchTable
from isodose.learn.layer_image import LayerImage
from isodose.learn.layer_inference import layer_spread
from isodose.learn.layer_weights import LayerWeights

EXACT, SWARM, UNET = "exact programme", "particle swarm", "U-Net"


@dataclass(frozen=True, slots=True)
class Answer:
    """One selector's layers for one arc.

    Parameters
    ----------
    gap
        How much more they cost in all than those of the exact programme, relative to it.
    switching_s
        Switching time.
    transitions
        Switches up, down and none.
    spread
        How evenly layers spread over the target; more is better.
    cpu_ms
        CPU time of the selection.
    """

    gap: float
    switching_s: float
    transitions: tuple[int, int, int]
    spread: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Selectors' answers for one arc.

    Parameters
    ----------
    image
        Name of the arc.
    network
        Name of the network, which has not seen the arc in training.
    answers
        By selector.
    """

    image: str
    network: str
    answers: Mapping[str, Answer]


def compare_layers(
    images: Mapping[str, LayerImage],
    networks: Mapping[str, LayerWeights],
    progress: Callable[[str], None] = lambda _: None,
) -> list[Comparison]:
    """Compare networks with other selectors on arcs that they have not seen.

    Parameters
    ----------
    images
        Arcs by name; those that every network has seen are left out.
    networks
        By name.
    progress
        Is told the name of each arc.
    """
    out = []
    for name, image in sorted(images.items()):
        unseen = [n for n, w in networks.items() if name not in w.provenance["images"]]
        if unseen:
            progress(name)
            out.append(Comparison(name, unseen[0], _answers(image, networks[unseen[0]])))
    return out


def mean_answer(comparisons: Iterable[Comparison], selector: str) -> tuple[Answer, float]:
    """Mean over arcs of a selector's answers (transitions rounded), and its largest gap."""
    answers = [c.answers[selector] for c in comparisons]
    up, down, none = np.rint(np.mean([a.transitions for a in answers], axis=0)).astype(int)
    numbers = {
        key: float(np.mean([getattr(a, key) for a in answers]))
        for key in ("gap", "switching_s", "spread", "cpu_ms")
    }
    mean = Answer(transitions=(int(up), int(down), int(none)), **numbers)
    return mean, max(a.gap for a in answers)


def task_of(image: LayerImage, weights: LayerWeights) -> SelectionTask:
    """Task that the network was trained for."""
    times = weights.times
    cost = np.where(image.allowed, TARGET_WEIGHT + AVOIDING_WEIGHT - image.worth.astype(np.float64), np.inf)
    table = SwitchTable.up_down(image.energies_mev_u, times.up_s, times.down_s)
    return SelectionTask(cost, table, time_weight=times.weight)


def _answers(image: LayerImage, weights: LayerWeights) -> dict[str, Answer]:
    task = task_of(image, weights)
    selectors: dict[str, Selector] = {
        EXACT: ExactProgramme(),
        SWARM: ParticleSwarm(image.max_wet_mm.astype(np.float64)),
        UNET: LearnedLayers(image, weights),
    }
    least = ExactProgramme().select(task).total_cost
    out = {}
    for name, selector in selectors.items():
        selector.select(task)  # compilation, and loading of the network
        begun = time.process_time()
        found = selector.select(task)
        out[name] = _answer(found, least, image, 1000.0 * (time.process_time() - begun))
    return out


def _answer(found: Selection, least: float, image: LayerImage, cpu_ms: float) -> Answer:
    gap = found.total_cost / least - 1.0
    spread = layer_spread(image, found.energies)
    return Answer(gap, found.switching_s, found.transitions, spread, cpu_ms)
