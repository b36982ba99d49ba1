"""A user's own Hounsfield calibration, in YAML.

Keys: ``name``; ``density``, pairs of HU and g/cm3, with ``composition``, a list of bins; or ``rsp``, pairs
of HU and stopping power relative to water (alone it serves pencil beams only; beside the others it replaces
the RSP that would follow from them); ``above``, either ``refuse`` (the default) or ``clamp``, for numbers
above the last knot.

Values are linear between knots. A HU given twice is a step: its second value holds from there on. Tables
begin at -900 HU or below; CT numbers below the first knot take its value. A bin has ``from_hu`` and either
the ``material`` by its registered name or a ``name`` with its ``elements`` (mass fractions by symbol that
sum to 1), and holds up to the next bin::

    name: planning CT 120 kV
    density:
      - [-1000, 0.00121]
      - [0, 1.0]
      - [1600, 1.96]
    composition:
      - {from_hu: -1000, material: air}
      - {from_hu: -950, name: soft, elements: {H: 0.103, C: 0.105, N: 0.031, O: 0.749, P: 0.012}}
      - {from_hu: 500, material: bone_cortical}
    above: clamp
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from isodose.errors import InputError
from isodose.patient.hounsfield import Above, HounsfieldCalibration, check_knots, interpolate
from isodose.physics.materials import COMPOSITION_TOLERANCE, Material, material

_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Bin(BaseModel):
    model_config = ConfigDict(extra="forbid")
    from_hu: _Finite
    material: str | None = None
    name: str | None = None
    elements: dict[str, _Finite] | None = None


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    density: list[tuple[_Finite, _Finite]] = []
    composition: list[_Bin] = []
    rsp: list[tuple[_Finite, _Finite]] = []
    above: Above = Above.REFUSE


def read_calibration(path: str | Path) -> HounsfieldCalibration:
    """Read a calibration table; the layout is that of this module's docstring.

    Raises
    ------
    InputError
        Naming file and key, if the file cannot be read, a key is unknown or missing, knots do not ascend, an
        element or material is unknown, or mass fractions do not sum to 1.
    """
    file = Path(path)
    table = _validated(_loaded(file), file)
    check_knots("density", tuple(table.density), file)
    ends = [b.from_hu for b in table.composition[1:]] + [knot[0] for knot in table.density[-1:]]
    bins = []
    for i, (entry, end) in enumerate(zip(table.composition, ends, strict=False)):
        middle = float(interpolate(tuple(table.density), (entry.from_hu + end) / 2))
        bins.append((entry.from_hu, _medium(entry, f"composition[{i}]", middle, file)))
    return HounsfieldCalibration(
        table.name, tuple(table.density), tuple(bins), tuple(table.rsp), table.above, file
    )


def _loaded(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("file", f"{type(error).__name__} ({error})", "a readable YAML file", file) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = "file" if mark is None else f"line {mark.line + 1}"
        raise InputError(place, getattr(error, "problem", None) or error, "valid YAML", file) from error


def _validated(content: Any, file: Path) -> _Table:
    try:
        return _Table.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(
            "."
        )
        expected = first["msg"]
        if first["type"] == "extra_forbidden":
            keys = _Bin.model_fields if place.startswith("composition") else _Table.model_fields
            raise InputError(place, "an unknown key", f"one of {', '.join(keys)}", file) from error
        found = "nothing" if first["type"] == "missing" else repr(first["input"])
        raise InputError(place or "file", found, expected, file) from error


def _medium(entry: _Bin, place: str, density: float, file: Path) -> Material:
    """Material of a bin, at the density in its middle."""
    if (entry.material is None) == (entry.elements is None):
        found = "neither" if entry.material is None else "both"
        raise InputError(place, f"{found} of material and elements", "one of them", file)
    if entry.material is not None:
        try:
            known = material(entry.material)
        except InputError as error:
            raise InputError(f"{place}.material", error.found, error.expected, file) from error
        return Material(known.name, density, known.composition, known.mean_excitation_ev)
    elements = entry.elements or {}
    total = sum(elements.values())
    if not abs(total - 1.0) <= COMPOSITION_TOLERANCE or min(elements.values()) < 0.0:
        raise InputError(f"{place}.elements", f"a sum of {total:g}", "positive fractions that sum to 1", file)
    try:
        return Material(entry.name or f"from {entry.from_hu:g} HU", density, elements)
    except InputError as error:
        raise InputError(f"{place}.elements", error.found, error.expected, file) from error
