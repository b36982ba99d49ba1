"""Machines as YAML files: the built-in ones by name, a user's by path."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from isodose.errors import InputError
from isodose.machine.base_data import BaseData
from isodose.machine.base_data_file import read_base_data
from isodose.machine.machine import BeamOptics, Machine, Shifter
from isodose.machine.yaml_schema import NotNegative, Number, Positive, Strict, Text, read_yaml
from isodose.physics.materials import MATERIALS

_DATA = Path(str(files("isodose.machine") / "data"))

_Correlation = Annotated[Number, Field(gt=-1, lt=1)]


class _EnergyEntry(Strict):
    minimum: Positive
    maximum: Positive
    available: tuple[Positive, ...] = ()


class _OpticsEntry(Strict):
    energy_mev_u: Positive
    sigma_mm: tuple[Positive, Positive]
    divergence_rad: tuple[NotNegative, NotNegative]
    correlation: tuple[_Correlation, _Correlation] = (0.0, 0.0)
    energy_spread_percent: NotNegative
    particles_per_mu: Positive


class _ShifterEntry(Strict):
    name: Text
    thickness_mm: Positive
    material: Text
    distance_mm: NotNegative


class _MachineFile(Strict):
    name: Text
    ion: Literal["proton", "helium", "carbon", "oxygen"]
    description: str = ""
    energy_mev_u: _EnergyEntry
    source_distance_mm: tuple[Positive, Positive]
    nozzle_distance_mm: Positive
    optics: Annotated[list[_OpticsEntry], Field(min_length=2)]
    range_shifters: tuple[_ShifterEntry, ...] = ()
    snouts: tuple[Text, ...] = ()
    base_data: Text | None = None


def machine_names() -> tuple[str, ...]:
    """Names of the built-in machines."""
    return tuple(sorted(path.stem for path in _DATA.glob("*.yaml")))


def machine(name: str | Path) -> Machine:
    """Built-in machine by name, or a user's machine by the path of its YAML file.

    Raises
    ------
    InputError
        If there is no machine of that name and no such file, or the file does not describe a machine.
    """
    text = str(name)
    if text in machine_names():
        return read_machine(_DATA / f"{text}.yaml")
    if text.endswith((".yaml", ".yml")):
        return read_machine(Path(text))
    expected = f"one of {', '.join(machine_names())}, or the path of a YAML file"
    raise InputError("machine", repr(text), expected)


def read_machine(path: str | Path) -> Machine:
    """Machine of a YAML file; ``machine/data/generic_proton.yaml`` shows every key.

    Raises
    ------
    InputError
        Naming the file and the key that is wrong.
    """
    path = Path(path).resolve()
    try:
        stamp = path.stat().st_mtime_ns
    except OSError as error:
        raise InputError("file", error.strerror or error, "a readable file", path) from error
    return _read(path, stamp)


@lru_cache(maxsize=16)
def _read(path: Path, stamp: int) -> Machine:
    entry = read_yaml(path, _MachineFile)
    low, high = entry.energy_mev_u.minimum, entry.energy_mev_u.maximum
    if low >= high:
        raise InputError("energy_mev_u.maximum", high, f"more than the minimum of {low:g}", path)
    energies = np.array([row.energy_mev_u for row in entry.optics])
    for at in np.flatnonzero(np.diff(energies) <= 0):
        raise InputError(f"optics[{at + 1}].energy_mev_u", energies[at + 1], "ascending energies", path)
    if energies[0] > low or energies[-1] < high:
        raise InputError(
            "optics", f"{energies[0]:g} to {energies[-1]:g} MeV/u", f"rows from {low:g} to {high:g}", path
        )
    available = tuple(sorted(entry.energy_mev_u.available))
    for i, energy in enumerate(entry.energy_mev_u.available):
        if not low <= energy <= high:
            raise InputError(
                f"energy_mev_u.available[{i}]", energy, f"an energy from {low:g} to {high:g}", path
            )
    for i, shifter in enumerate(entry.range_shifters):
        if shifter.material not in MATERIALS:
            raise InputError(
                f"range_shifters[{i}].material",
                repr(shifter.material),
                f"one of {', '.join(MATERIALS)}",
                path,
            )
    return Machine(
        base_data=_base_data(path, entry),
        name=entry.name,
        ion=entry.ion,
        description=" ".join(entry.description.split()),
        energy_range_mev_u=(low, high),
        energies_mev_u=available,
        optics=BeamOptics(
            energy_mev_u=energies,
            sigma_mm=np.array([row.sigma_mm for row in entry.optics]),
            divergence_rad=np.array([row.divergence_rad for row in entry.optics]),
            correlation=np.array([row.correlation for row in entry.optics]),
            energy_spread_percent=np.array([row.energy_spread_percent for row in entry.optics]),
            particles_per_mu=np.array([row.particles_per_mu for row in entry.optics]),
        ),
        source_distance_mm=entry.source_distance_mm,
        nozzle_distance_mm=entry.nozzle_distance_mm,
        shifters=tuple(
            Shifter(s.name, s.thickness_mm, s.material, s.distance_mm) for s in entry.range_shifters
        ),
        snouts=entry.snouts,
    )


def _base_data(path: Path, entry: _MachineFile) -> BaseData | None:
    """Base data of the file that a machine names, beside its own."""
    if entry.base_data is None:
        return None
    data = read_base_data(path.parent / entry.base_data)
    if data.ion != entry.ion:
        raise InputError("base_data", f"data of {data.ion} beams", f"data of {entry.ion} beams", path)
    return data
