"""Energy layers by a network: SPArc_dl of Yang et al., arXiv 2506.15803, as isodose trains it.

Two networks of one architecture come with the package, for two aims that exclude each other:

``aligned``
    The least cost by spot counts and switching time, which `isodose.arc.exact_programme.ExactProgramme` finds
    itself, sooner and exactly. It is here to be compared with.
``spread``
    Layers that neighbouring control points spread evenly over the target (see `isodose.learn.layer_losses`).
    Their plans are better; no exact programme is known for that aim.

The network scores layers. One that was trained with a chain of control points delivers the best sequence by
scores and weighed switching time, a shortest path; one without delivers each control point's likeliest layer,
as the paper's does. Under a budget both deliver the best sequence by scores that keeps to it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isodose.arc.selection import Selection, SelectionTask
from isodose.arc.shortest_path import cheapest_path, path_within
from isodose.arc.switch_table import SwitchTable
from isodose.errors import InputError, IsodoseWarning
from isodose.learn.layer_image import LayerImage
from isodose.learn.layer_weights import LayerWeights, shipped_weights
from isodose.learn.torch_extra import require_torch


@dataclass(frozen=True, slots=True, eq=False)
class LearnedLayers:
    """Selector by a U-Net.

    Parameters
    ----------
    image
        Layers as the network sees them, of the counts that gave the task's costs.
    weights
        The network; by default the shipped one for spread layers.

    Raises
    ------
    MissingExtraError
        If torch is not installed.
    """

    image: LayerImage
    weights: LayerWeights = field(default_factory=lambda: shipped_weights("spread"))

    def __post_init__(self) -> None:
        require_torch("energy layers by a network")

    def select(self, task: SelectionTask) -> Selection:
        """Choose one layer per control point; see `isodose.arc.selection.Selector`.

        Raises
        ------
        InputError
            If several layers per control point are asked for, the task has other layers than the image, or no
            sequence keeps to the budget.
        """
        if task.layers_per_point != 1:
            raise InputError("task.layers_per_point", task.layers_per_point, "1, for a U-Net")
        if not np.array_equal(np.isfinite(task.cost), self.image.allowed):
            raise InputError("task.cost", "other layers", "those of the counts that the network reads")
        self._compare_times(task)
        scores = self.scores()[task.delivered]
        if task.budget_s is not None:
            path = path_within(task, task.budget_s, -scores)[0]
        elif self.weights.chain:
            path = cheapest_path(task, task.time_weight, -scores)
        else:
            return task.selection(np.argmax(scores, axis=1), self.name)
        return task.selection(path.energies, self.name)

    @property
    def name(self) -> str:
        """Of the selector."""
        return f"U-Net ({self.weights.loss})"

    def scores(self) -> NDArray[np.float64]:
        """Scores of all layers, ``(points, energies)``, minus infinity where the network has none."""
        from isodose.learn.layer_inference import layer_scores

        return layer_scores(self.image, self.weights)

    def _compare_times(self, task: SelectionTask) -> None:
        times = self.weights.times
        trained = SwitchTable.up_down(task.table.energies_mev_u, times.up_s, times.down_s)
        if not np.allclose(task.table.seconds, trained.seconds):
            warnings.warn(
                f"switching times ({task.table.source}) are not those that the network was trained for: "
                f"{times.up_s:g} s up, {times.down_s:g} s down",
                IsodoseWarning,
                stacklevel=3,
            )
