"""Machines as YAML files: the built-in ones by name, a user's by path."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from isodose.errors import InputError
from isodose.machine.base_data import BaseData
from isodose.machine.base_data_file import read_base_data
from isodose.machine.machine import BeamOptics, Machine, Shifter
from isodose.machine.nozzle import Monitor, RippleFilter
from isodose.machine.yaml_schema import NotNegative, Number, Positive, Strict, Text, read_yaml
from isodose.physics.materials import MATERIALS

_DATA = Path(str(files("isodose.machine") / "data"))

_Correlation = Annotated[Number, Field(ge=-1, le=1)]

_FocusName = Annotated[str, Field(pattern=r"^[\w.+-]{1,15}$")]
"""Fits DICOM's Scan Spot Tune ID."""


def _one_or_many(value: object) -> object:
    return value if isinstance(value, list) else [value]


_ByEnergy = BeforeValidator(_one_or_many)
"""One number for all energies, or one for each row of the optics."""


class _EnergyEntry(Strict):
    minimum: Positive
    maximum: Positive
    available: tuple[Positive, ...] = ()


class _FocusEntry(Strict):
    energy_mev_u: Positive
    sigma_mm: tuple[Positive, Positive]
    divergence_rad: tuple[NotNegative, NotNegative]
    correlation: tuple[_Correlation, _Correlation] = (0.0, 0.0)


class _OpticsEntry(_FocusEntry):
    energy_spread_percent: NotNegative
    particles_per_mu: Positive


class _RippleEntry(Strict):
    name: Text
    range_sigma_mm: Annotated[list[Positive], _ByEnergy]


class _MonitorEntry(Strict):
    part: Annotated[Number, Field(gt=0, lt=1)]
    distance_mm: Positive
    water_equivalent_mm: NotNegative
    angle_rad: Annotated[list[NotNegative], _ByEnergy]


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
    optics: Annotated[list[_OpticsEntry], Field(min_length=1)]
    foci: dict[_FocusName, list[_FocusEntry]] = Field(default_factory=dict)
    ripple_filter: _RippleEntry | None = None
    monitor: _MonitorEntry | None = None
    range_shifters: tuple[_ShifterEntry, ...] = ()
    snouts: tuple[Text, ...] = ()
    base_data: Text | None = None
    fit_air_offset_mm: Number | None = None


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
    """Machine of a YAML file; ``machine/data/helium_monitor.yaml`` shows what one may hold.

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
    _check(entry, path)
    optics = _optics(entry)
    return Machine(
        name=entry.name,
        ion=entry.ion,
        description=" ".join(entry.description.split()),
        energy_range_mev_u=(entry.energy_mev_u.minimum, entry.energy_mev_u.maximum),
        energies_mev_u=tuple(sorted(entry.energy_mev_u.available)),
        optics=optics,
        source_distance_mm=entry.source_distance_mm,
        nozzle_distance_mm=entry.nozzle_distance_mm,
        shifters=tuple(
            Shifter(s.name, s.thickness_mm, s.material, s.distance_mm) for s in entry.range_shifters
        ),
        snouts=entry.snouts,
        base_data=_base_data(path, entry),
        foci={name: _focus(rows, optics, f"foci.{name}", path) for name, rows in entry.foci.items()},
        ripple_filter=_ripple_filter(entry, path),
        monitor=_monitor(entry, path),
        fit_air_offset_mm=entry.fit_air_offset_mm,
    )


def _check(entry: _MachineFile, path: Path) -> None:
    low, high = entry.energy_mev_u.minimum, entry.energy_mev_u.maximum
    if low > high:
        raise InputError("energy_mev_u.maximum", high, f"no less than the minimum of {low:g}", path)
    energies = np.array([row.energy_mev_u for row in entry.optics])
    for at in np.flatnonzero(np.diff(energies) <= 0):
        raise InputError(f"optics[{at + 1}].energy_mev_u", energies[at + 1], "ascending energies", path)
    if energies[0] > low or energies[-1] < high:
        raise InputError(
            "optics", f"{energies[0]:g} to {energies[-1]:g} MeV/u", f"rows from {low:g} to {high:g}", path
        )
    for i, energy in enumerate(entry.energy_mev_u.available):
        if not low <= energy <= high:
            raise InputError(
                f"energy_mev_u.available[{i}]", energy, f"an energy from {low:g} to {high:g}", path
            )
    for i, shifter in enumerate(entry.range_shifters):
        if shifter.material not in MATERIALS:
            expected = f"one of {', '.join(MATERIALS)}"
            raise InputError(f"range_shifters[{i}].material", repr(shifter.material), expected, path)


def _optics(entry: _MachineFile) -> BeamOptics:
    return BeamOptics(
        energy_mev_u=np.array([row.energy_mev_u for row in entry.optics]),
        sigma_mm=np.array([row.sigma_mm for row in entry.optics]),
        divergence_rad=np.array([row.divergence_rad for row in entry.optics]),
        correlation=np.array([row.correlation for row in entry.optics]),
        energy_spread_percent=np.array([row.energy_spread_percent for row in entry.optics]),
        particles_per_mu=np.array([row.particles_per_mu for row in entry.optics]),
    )


def _focus(rows: list[_FocusEntry], usual: BeamOptics, field: str, path: Path) -> BeamOptics:
    """Optics of a further focus, which shares energy spread and calibration with the usual one."""
    energies = [row.energy_mev_u for row in rows]
    if energies != usual.energy_mev_u.tolist():
        found = f"energies {', '.join(f'{e:g}' for e in energies[:12]) or '(none)'}"
        raise InputError(field, found, "rows of the same energies as optics", path)
    return replace(
        usual,
        sigma_mm=np.array([row.sigma_mm for row in rows]),
        divergence_rad=np.array([row.divergence_rad for row in rows]),
        correlation=np.array([row.correlation for row in rows]),
    )


def _ripple_filter(entry: _MachineFile, path: Path) -> RippleFilter | None:
    ripple = entry.ripple_filter
    if ripple is None:
        return None
    sigma = _by_energy(ripple.range_sigma_mm, entry, "ripple_filter.range_sigma_mm", path)
    return RippleFilter(ripple.name, sigma)


def _monitor(entry: _MachineFile, path: Path) -> Monitor | None:
    monitor = entry.monitor
    if monitor is None:
        return None
    angle = _by_energy(monitor.angle_rad, entry, "monitor.angle_rad", path)
    return Monitor(monitor.part, monitor.distance_mm, monitor.water_equivalent_mm, angle)


def _by_energy(values: list[float], entry: _MachineFile, field: str, path: Path) -> NDArray[np.float64]:
    rows = len(entry.optics)
    if len(values) not in (1, rows):
        raise InputError(
            field, f"{len(values)} numbers", f"one, or one for each of {rows} rows of optics", path
        )
    return np.broadcast_to(np.array(values, dtype=np.float64), (rows,)).copy()


def _base_data(path: Path, entry: _MachineFile) -> BaseData | None:
    """Base data of the file that a machine names, beside its own."""
    if entry.base_data is None:
        return None
    data = read_base_data(path.parent / entry.base_data)
    if data.ion != entry.ion:
        raise InputError("base_data", f"data of {data.ion} beams", f"data of {entry.ion} beams", path)
    return data
