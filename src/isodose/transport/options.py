"""How a Monte Carlo computation is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isodose.dose.progress import Progress
from isodose.errors import InputError

MOST_HISTORIES = 2**40
"""More than any computation runs in years."""
MOST_THREADS = 1024


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a computation is run; the fields are explained by :class:`isodose.transport.engine.MonteCarlo`.

    Raises
    ------
    InputError
        If an option is out of its range; it names the option.
    """

    histories: int
    uncertainty: float | None
    seed: int
    threads: int
    spectrum_margin_mm: float
    energy_edges_mev: NDArray[np.float64]
    checkpoint: Path | None
    resume: bool
    progress: Callable[[Progress], None] | None

    def __post_init__(self) -> None:
        for name, least, most in (
            ("histories", 1, MOST_HISTORIES),
            ("seed", -(2**63), 2**63 - 1),
            ("threads", 1, MOST_THREADS),
        ):
            object.__setattr__(self, name, _whole(name, getattr(self, name), least, most))
        if self.uncertainty is not None and not 0.0 < self.uncertainty < 1.0:
            raise InputError("uncertainty", self.uncertainty, "a part between 0 and 1 (0.01 is 1 %)")
        if not (np.isfinite(self.spectrum_margin_mm) and self.spectrum_margin_mm >= 0.0):
            raise InputError("spectrum_margin_mm", self.spectrum_margin_mm, "at least 0 mm")
        if self.checkpoint is not None and not Path(self.checkpoint).parent.is_dir():
            expected = "a file in a folder that exists, as it is written only when the run is interrupted"
            raise InputError("checkpoint", self.checkpoint, expected)
        edges = self.energy_edges_mev
        if edges.ndim != 1 or edges.size < 2 or not np.all(np.isfinite(edges)):
            raise InputError(
                "energy_edges_mev", f"shape {edges.shape}", "at least two finite energies in MeV"
            )
        if edges[0] < 0.0 or np.any(np.diff(edges) <= 0.0):
            raise InputError("energy_edges_mev", edges.tolist()[:8], "energies from 0 that ascend")


def _whole(field: str, value: object, least: int, most: int) -> int:
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not least <= value <= most or value != int(value):  # type: ignore[operator, call-overload]
        raise InputError(field, repr(value), f"a whole number from {least} to {most}")
    return int(value)  # type: ignore[call-overload, no-any-return]
