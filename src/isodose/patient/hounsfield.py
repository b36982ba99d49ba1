"""From Hounsfield units to what a beam sees: density, material and relative stopping power of each voxel.

Two chains exist in the field, and they differ for the same voxel: HU -> composition and density -> stopping
power (Monte Carlo), and HU -> RSP by a table (pencil beams). A calibration made of density and composition
serves both and makes them agree; only one that brings its own RSP table follows the second chain.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.errors import InputError, IsodoseWarning
from isodose.patient import schneider as schneider_table
from isodose.patient.grid import Grid
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume
from isodose.physics.materials import Material, material
from isodose.physics.stopping import relative_stopping_power

RSP_ENERGY_MEV_U = 100.0
"""Energy at which RSP is taken; it moves by -0.2 % (adipose) to +0.3 % (cortical bone) up to 200 MeV/u."""

AIR_BELOW_HU = -900.0
"""A table must begin at or below this: numbers below its beginning (padding) take its first value."""

Knots = tuple[tuple[float, float], ...]
"""Pairs of HU and value; linear in between. At a repeated HU the second value holds from there on."""

Overrides = Sequence[tuple[Structure, float | Material]]
"""Structures whose voxels (at least half inside) get an HU or a material at its nominal density."""


class CalibrationWarning(IsodoseWarning):
    """A CT number was used beyond the calibration, as its table allows."""


class Above(StrEnum):
    """What happens to numbers above a table's last knot."""

    REFUSE = "refuse"
    CLAMP = "clamp"


@lru_cache(maxsize=1024)
def _rsp_per_density(medium: Material) -> float:
    """RSP of a material at 1 g/cm3."""
    return float(relative_stopping_power(medium, 1.0, RSP_ENERGY_MEV_U))


@dataclass(frozen=True, slots=True)
class TissueMap:
    """What the voxels are made of.

    Parameters
    ----------
    grid
        The grid of the CT.
    density
        Mass density in g/cm3, ``[z, y, x]`` float32.
    material
        Index into ``materials``, ``[z, y, x]`` uint8.
    materials
        The media; only their compositions count, each voxel has its own density.
    """

    grid: Grid
    density: NDArray[np.float32]
    material: NDArray[np.uint8]
    materials: tuple[Material, ...]

    def rsp(self) -> Volume:
        """Map of the stopping power relative to water at 100 MeV/u."""
        per_density = np.array([_rsp_per_density(m) for m in self.materials], dtype=np.float32)
        return Volume(self.grid, per_density[self.material] * self.density)


def interpolate(knots: Knots, hu: ArrayLike) -> NDArray[np.float64]:
    """Piecewise linear value at HU, constant beyond both ends; steps as in `Knots`."""
    table = np.asarray(knots, dtype=np.float64)
    x, y = table[:, 0], table[:, 1]
    number = np.clip(np.asarray(hu, dtype=np.float64), x[0], x[-1])
    left = np.clip(np.searchsorted(x, number, side="right") - 1, 0, x.size - 2)
    part = (number - x[left]) / (x[left + 1] - x[left])
    return np.asarray(y[left] + part * (y[left + 1] - y[left]))


def check_knots(field: str, knots: Knots, file: Path | None = None) -> None:
    """Raise `InputError` unless knots ascend from -900 HU or below, with positive values; none are fine."""
    if not knots:
        return
    table = np.asarray(knots, dtype=np.float64)
    if len(knots) < 2 or not np.all(np.isfinite(table)):
        raise InputError(field, list(knots), "at least two pairs of finite numbers", file)
    hu = table[:, 0]
    for i in range(1, hu.size):
        is_step = hu[i] == hu[i - 1] and 1 < i < hu.size - 1 and hu[i - 1] > hu[i - 2]
        if not (hu[i] > hu[i - 1] or is_step):
            expected = f"more than the {hu[i - 1]:g} HU before it (one repeated HU inside is a step)"
            raise InputError(f"{field}[{i}]", f"{hu[i]:g} HU", expected, file)
    if hu[0] > AIR_BELOW_HU:
        raise InputError(
            f"{field}[0]", f"{hu[0]:g} HU", f"a first knot at or below {AIR_BELOW_HU:g} HU", file
        )
    if table[:, 1].min() <= 0.0:
        i = int(table[:, 1].argmin())
        raise InputError(f"{field}[{i}]", f"{table[i, 1]:g}", "a positive value", file)


@dataclass(frozen=True)
class HounsfieldCalibration:
    """Conversion of one scanner's CT numbers.

    Parameters
    ----------
    name
        For reports and provenance.
    density_knots
        HU and mass density in g/cm3; empty where there is only an RSP table.
    composition
        First HU of each bin and its material, ascending; a bin ends where the next begins.
    rsp_knots
        HU and RSP; empty where RSP follows from density and composition.
    above
        What happens to numbers above the last knot.
    file
        Where it was read from, if anywhere.

    Raises
    ------
    InputError
        If knots or bins do not ascend or begin above -900 HU, a value is not positive, or there is neither
        RSP nor density with composition.
    """

    name: str
    density_knots: Knots = ()
    composition: tuple[tuple[float, Material], ...] = ()
    rsp_knots: Knots = ()
    above: Above = Above.REFUSE
    file: Path | None = None

    def __post_init__(self) -> None:
        if bool(self.density_knots) != bool(self.composition):
            missing = "composition" if self.density_knots else "density"
            raise InputError(missing, "nothing", "density and composition together, or rsp alone", self.file)
        if not self.density_knots and not self.rsp_knots:
            raise InputError("density", "nothing", "density with composition, or rsp", self.file)
        check_knots("density", self.density_knots, self.file)
        check_knots("rsp", self.rsp_knots, self.file)
        first = [hu for hu, _ in self.composition]
        for i, (a, b) in enumerate(pairwise(first), start=1):
            if not b > a:
                raise InputError(f"composition[{i}].from_hu", b, f"more than the {a:g} before it", self.file)
        if first and not first[0] <= AIR_BELOW_HU:
            raise InputError("composition[0].from_hu", first[0], f"at most {AIR_BELOW_HU:g}", self.file)
        if len(first) > 200:
            raise InputError("composition", f"{len(first)} bins", "at most 200", self.file)

    @property
    def materials(self) -> tuple[Material, ...]:
        """Materials of the bins."""
        return tuple(m for _, m in self.composition)

    @property
    def end_hu(self) -> float:
        """Highest CT number that the calibration covers."""
        return min(knots[-1][0] for knots in (self.density_knots, self.rsp_knots) if knots)

    @property
    def chain(self) -> str:
        """Which way RSP is obtained, in words, for the provenance of a result."""
        return "HU -> RSP table" if self.rsp_knots else "HU -> density and composition -> RSP"

    def density_of_hu(self, hu: ArrayLike) -> NDArray[np.float64]:
        """Mass density in g/cm3 of CT numbers of any shape."""
        self._need_composition()
        return interpolate(self.density_knots, self._checked(hu))

    def material_of_hu(self, hu: ArrayLike) -> NDArray[np.uint8]:
        """Index into `materials` of CT numbers of any shape."""
        self._need_composition()
        first = np.array([h for h, _ in self.composition])
        index = np.searchsorted(first, self._checked(hu), side="right") - 1
        return np.asarray(np.maximum(index, 0), dtype=np.uint8)

    def rsp_of_hu(self, hu: ArrayLike) -> NDArray[np.float64]:
        """RSP at 100 MeV/u of CT numbers of any shape."""
        if self.rsp_knots:
            return interpolate(self.rsp_knots, self._checked(hu))
        per_density = np.array([_rsp_per_density(m) for m in self.materials])
        return np.asarray(per_density[self.material_of_hu(hu)] * self.density_of_hu(hu))

    def tissue(
        self, ct: Volume, outside_air: Structure | None = None, overrides: Overrides = ()
    ) -> TissueMap:
        """Density and material of each voxel of a CT.

        Parameters
        ----------
        ct
            CT numbers in HU.
        outside_air
            Outline of the body: voxels that it does not touch become air (couch, masks, clothing). Supports
            that the beam crosses must be put back with ``overrides``.
        overrides
            Structures with an HU or a material.

        Raises
        ------
        InputError
            If a number is not finite or above the table (unless the table says to clamp), if the calibration
            has no composition, or if a structure lies on another grid.

        Warns
        -----
        CalibrationWarning
            If numbers above the table were clamped.
        """
        self._need_composition()
        hu, media = self._prepared(ct, outside_air, overrides)
        density = np.empty(ct.grid.shape, dtype=np.float32)
        index = np.empty(ct.grid.shape, dtype=np.uint8)
        first = np.array([h for h, _ in self.composition])
        for k, plane in enumerate(hu):  # plane by plane, to keep the float64 of the interpolation small
            density[k] = interpolate(self.density_knots, plane)
            index[k] = np.maximum(np.searchsorted(first, plane, side="right") - 1, 0)
        materials = list(self.materials)
        for voxels, medium in media:
            if medium not in materials:
                materials.append(medium)
            density[voxels], index[voxels] = medium.density_g_cm3, materials.index(medium)
        return TissueMap(ct.grid, density, index, tuple(materials))

    def rsp(self, ct: Volume, outside_air: Structure | None = None, overrides: Overrides = ()) -> Volume:
        """RSP at 100 MeV/u of each voxel; arguments and errors are those of `tissue`."""
        if not self.rsp_knots:
            return self.tissue(ct, outside_air, overrides).rsp()
        hu, media = self._prepared(ct, outside_air, overrides)
        values = np.empty(ct.grid.shape, dtype=np.float32)
        for k, plane in enumerate(hu):
            values[k] = interpolate(self.rsp_knots, plane)
        for voxels, medium in media:
            values[voxels] = _rsp_per_density(medium) * medium.density_g_cm3
        return Volume(ct.grid, values)

    def _need_composition(self) -> None:
        if not self.composition:
            raise InputError(
                f"calibration {self.name!r}",
                "only an RSP table",
                "density and composition, which Monte Carlo needs",
                self.file,
            )

    def _prepared(
        self, ct: Volume, outside_air: Structure | None, overrides: Overrides
    ) -> tuple[NDArray[np.float32], list[tuple[NDArray[np.bool_], Material]]]:
        """CT numbers after masking and overrides by HU, checked; and the overrides by material."""
        hu = ct.values
        for structure in ([] if outside_air is None else [outside_air]) + [s for s, _ in overrides]:
            if not structure.grid.matches(ct.grid):
                raise InputError(f"structure {structure.name!r}", "another grid", "the grid of the CT")
        if outside_air is not None:
            hu = np.where(outside_air.occupancy > 0.0, hu, np.float32(-1000.0))
        media: list[tuple[NDArray[np.bool_], Material]] = []
        for structure, to in overrides:
            voxels = structure.mask
            if isinstance(to, Material):
                hu = np.where(voxels, np.float32(0.0), hu)
                media.append((voxels, to))
            else:
                hu = np.where(voxels, np.float32(to), hu)
                media = [(mask & ~voxels, medium) for mask, medium in media]
        return self._checked(hu, ct.grid).astype(np.float32, copy=False), media

    def _checked(self, hu: ArrayLike, grid: Grid | None = None) -> NDArray[np.floating]:
        """Return the same numbers if the table covers them; clamp with a warning if it allows that."""
        number = np.asarray(hu)
        if number.dtype not in (np.float32, np.float64):
            number = number.astype(np.float64)
        if number.size == 0:
            return number
        highest = float(number.max())
        if not np.isfinite(highest) or not np.isfinite(float(number.min())):
            bad = int(np.flatnonzero(~np.isfinite(number))[0])
            raise InputError(
                f"ct {_place(bad, number.shape, grid)}", "a CT number that is not finite", "finite HU"
            )
        if highest <= self.end_hu:
            return number
        place = _place(int(number.argmax()), number.shape, grid)
        count = int(np.count_nonzero(number > self.end_hu))
        found = f"up to {highest:.0f} HU there, {count} voxels above {self.end_hu:.0f} HU"
        if self.above is Above.CLAMP:
            warnings.warn(
                f"ct {place}: {found}; taken as {self.end_hu:.0f} HU, as calibration {self.name!r} says",
                CalibrationWarning,
                stacklevel=2,
            )
            return np.asarray(np.minimum(number, number.dtype.type(self.end_hu)))
        raise InputError(
            f"ct {place}",
            found,
            f"at most {self.end_hu:.0f} HU, where calibration {self.name!r} ends; override the structure's "
            "material, or use a table with `above: clamp`",
        )


def _place(flat: int, shape: tuple[int, ...], grid: Grid | None) -> str:
    index = tuple(int(i) for i in np.unravel_index(flat, shape))
    if grid is None:
        return f"number {list(index)}"
    x, y, z = grid.position_mm(index)
    return f"voxel [z, y, x] = {list(index)} at (x, y, z) = ({x:.1f}, {y:.1f}, {z:.1f}) mm"


@lru_cache(maxsize=1)
def schneider() -> HounsfieldCalibration:
    """Schneider's conversion with titanium above 2995 HU, up to 3071 HU (see `isodose.patient.schneider`).

    Validity: a scanner whose numbers of real tissue match the one of the paper (120 kV class, no contrast
    medium, no cone-beam CT); against measured tissue phantoms one CT curve errs by up to 4 % in spongy bone
    and 3 % in fat. The published density has a step of -3.9 % between 100 and 101 HU (1.121 to 1.077
    g/cm3), kept here as it is, at 101 HU: noise around that number makes the density jump.

    References
    ----------
    Schneider W, Bortfeld T, Schlegel W, Phys. Med. Biol. 45 (2000) 459.
    """
    return HounsfieldCalibration(
        "schneider", schneider_table.DENSITY_KNOTS, schneider_table.composition_bins()
    )


@lru_cache(maxsize=1)
def phantom() -> HounsfieldCalibration:
    """Exact materials for the built-in phantoms: 0 HU is water of 1 g/cm3, which in tissue tables it is not.

    Air at -1000 HU, inflated lung (0.26 g/cm3) at -740 HU, water at 0 HU, cortical bone (1.92 g/cm3) at
    1525 HU; densities linear in between, materials changing half way.
    """
    media = [(-1000.0, "air"), (-740.0, "lung"), (0.0, "water"), (1525.0, "bone_cortical")]
    knots = tuple((hu, material(name).density_g_cm3) for hu, name in media)
    edges = [-1000.0] + [(a + b) / 2 for (a, _), (b, _) in pairwise(media)]
    bins = tuple((edge, material(name)) for edge, (_, name) in zip(edges, media, strict=True))
    return HounsfieldCalibration("phantom", knots, bins)


def calibration_of(name: str) -> HounsfieldCalibration:
    """Built-in calibration by name: ``"schneider"`` or ``"phantom"``.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    builtin = {"schneider": schneider, "phantom": phantom}
    if name not in builtin:
        raise InputError("calibration", repr(name), f"one of {', '.join(builtin)}")
    return builtin[name]()
