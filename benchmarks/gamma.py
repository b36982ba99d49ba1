"""The gamma index against pymedphys: speed of both in one run, and how far they agree.

    python benchmarks/gamma.py [--size 40] [--noise 0.3]

The two doses are a smooth random field and the same, shifted by half a voxel, scaled by 1 % and with noise;
or, where the folder ``shared`` is beside the checkout, the two days of the ENT patient.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
import pymedphys
import SimpleITK
from eclipse_cases import DATA
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift

from isodose.evaluate.gamma import GammaCriteria, gamma
from isodose.patient.grid import Grid
from isodose.patient.volume import Volume

CRITERIA = (
    GammaCriteria(3, 3),
    GammaCriteria(2, 2),
    GammaCriteria(2, 1),
    GammaCriteria(3, 3, local=True),
)


def synthetic(size: int, noise_percent: float) -> tuple[Volume, Volume]:
    """Two similar doses of ``size``^3 voxels of 2 x 2 x 2.5 mm with noise in percent of the maximum."""
    random = np.random.default_rng(20)
    field = gaussian_filter(random.normal(size=(size, size, size)), 3.0)
    field = 60 * (field - field.min()) / np.ptp(field)
    other = 1.01 * shift(field, (0.5, 0.0, 0.0), order=1, mode="nearest")
    other += random.normal(size=field.shape) * noise_percent / 100 * 60
    grid = Grid((0, 0, 0), (2, 2, 2.5), field.shape)
    return Volume(grid, field), Volume(grid, np.maximum(other, 0))


def ent_days() -> tuple[Volume, Volume]:
    """Dose of the ENT patient on two days, cropped to its high-dose region."""
    volumes = []
    for name in ("EclipseEnt_Dose.nrrd", "EclipseEnt_Dose_Day2.nrrd"):
        image = SimpleITK.ReadImage(str(DATA / "eclipse_ent" / name))
        values = SimpleITK.GetArrayFromImage(image)
        volumes.append(Volume(Grid(image.GetOrigin(), image.GetSpacing(), values.shape), values))
    where = np.argwhere(volumes[0].values > 0.7 * volumes[0].values.max())
    ends = [volumes[0].grid.position_mm(where.min(axis=0)), volumes[0].grid.position_mm(where.max(axis=0))]
    cropped = []
    for volume in volumes:
        grid, cut = volume.grid.cropped(ends[0] - 15, ends[1] + 15)
        cropped.append(Volume(grid, volume.values[cut]))
    return cropped[0], cropped[1]


def _axes(grid: Grid) -> tuple[NDArray[np.float64], ...]:
    return grid.axis_mm("z"), grid.axis_mm("y"), grid.axis_mm("x")


def _timed(work: Callable[[], NDArray[np.floating]]) -> tuple[NDArray[np.floating], float]:
    """Run something; its result and the CPU seconds of all threads."""
    start = time.process_time()
    out = work()
    return out, time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=40)
    parser.add_argument("--noise", type=float, default=0.3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    pairs = {"synthetic": synthetic(options.size, options.noise)}
    if DATA.is_dir():
        pairs["ENT days"] = ent_days()
    print(
        f"{'doses':10s} {'criteria':38s} {'points':>7s} {'isodose':>9s} {'pymedphys':>9s} {'ratio':>6s} "
        f"{'pass':>7s} {'theirs':>7s} {'1 %':>7s} {'median':>7s} {'99 %':>7s}"
    )
    for name, (a, b) in pairs.items():
        gamma(a, b, CRITERIA[0])  # compiles
        for c in CRITERIA:
            mine, seconds = _timed(lambda a=a, b=b, c=c: gamma(a, b, c).values)
            theirs, their_seconds = _timed(
                lambda a=a, b=b, c=c: pymedphys.gamma(
                    _axes(a.grid), a.values, _axes(b.grid), b.values, c.dose_percent, c.distance_mm,
                    lower_percent_dose_cutoff=c.threshold_percent, max_gamma=c.max_gamma,
                    local_gamma=c.local, interp_fraction=10,
                )
            )  # fmt: skip
            both = np.isfinite(mine) & np.isfinite(theirs)
            points = int(both.sum())
            low, middle, high = np.percentile((theirs - mine)[both], [1, 50, 99])
            print(
                f"{name:10s} {c!s:38s} {points:7d} {points / seconds:9.0f} {points / their_seconds:9.0f} "
                f"{their_seconds / seconds:6.0f} {100 * np.mean(mine[both] <= 1.0001):6.2f}% "
                f"{100 * np.mean(theirs[both] <= 1):6.2f}% {low:7.4f} {middle:7.4f} {high:7.4f}",
                flush=True,
            )
    print(
        "\nisodose, pymedphys: evaluated points per CPU second; 1 %, median, 99 %: percentiles of pymedphys\n"
        "minus isodose (theirs searches a lattice of a tenth of the distance to agreement, so it is larger)"
    )


if __name__ == "__main__":
    main()
