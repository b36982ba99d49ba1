"""Write a machine: a YAML file and its base data beside it, as `isodose.machine.machine_file` reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from isodose.errors import OutputError
from isodose.machine.base_data_file import write_base_data
from isodose.machine.machine import BeamOptics, Machine
from isodose.patient.files import atomic_path


def write_machine(machine: Machine, folder: str | Path) -> Path:
    """Write a machine.

    Parameters
    ----------
    machine
        What to write.
    folder
        Receives ``NAME.yaml`` and, where there are base data, ``NAME.npz``; made if it is missing. Files of
        these names are replaced.

    Returns
    -------
    Path
        The YAML file, by whose path `isodose.machine.machine_file.machine` knows the machine. Everything in
        it reads back equal; numbers of base data are rounded as `write_base_data` does.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: no folder could be made there ({error.strerror or error})") from error
    name = re.sub(r"[^\w.+-]+", "_", machine.name)
    document = _document(machine)
    if machine.base_data is not None:
        document["base_data"] = f"{name}.npz"
        write_base_data(folder / f"{name}.npz", machine.base_data)
    path = folder / f"{name}.yaml"
    with atomic_path(path) as beside, beside.open("w", encoding="utf-8") as stream:
        yaml.dump(document, stream, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return path


def _document(machine: Machine) -> dict[str, Any]:
    low, high = machine.energy_range_mev_u
    document: dict[str, Any] = {
        "name": machine.name,
        "ion": machine.ion,
        "description": machine.description,
        "energy_mev_u": {
            "minimum": float(low),
            "maximum": float(high),
            "available": _line(machine.energies_mev_u),
        },
        "source_distance_mm": _line(machine.source_distance_mm),
        "nozzle_distance_mm": float(machine.nozzle_distance_mm),
        "optics": _optics(machine.optics),
        "foci": {name: _focus(optics) for name, optics in machine.foci.items()},
    }
    if machine.ripple_filter is not None:
        document["ripple_filter"] = {
            "name": machine.ripple_filter.name,
            "range_sigma_mm": _line(machine.ripple_filter.range_sigma_mm),
        }
    if machine.monitor is not None:
        document["monitor"] = {
            "part": float(machine.monitor.part),
            "distance_mm": float(machine.monitor.distance_mm),
            "water_equivalent_mm": float(machine.monitor.water_equivalent_mm),
            "angle_rad": _line(machine.monitor.angle_rad),
        }
    document["range_shifters"] = [
        {
            "name": shifter.name,
            "thickness_mm": float(shifter.thickness_mm),
            "material": shifter.material,
            "distance_mm": float(shifter.distance_mm),
        }
        for shifter in machine.shifters
    ]
    document["snouts"] = list(machine.snouts)
    if machine.fit_air_offset_mm is not None:
        document["fit_air_offset_mm"] = float(machine.fit_air_offset_mm)
    return document


def _optics(optics: BeamOptics) -> list[dict[str, Any]]:
    rows = _focus(optics)
    for row, spread, particles in zip(
        rows, optics.energy_spread_percent, optics.particles_per_mu, strict=True
    ):
        row |= {"energy_spread_percent": float(spread), "particles_per_mu": float(particles)}
    return rows


def _focus(optics: BeamOptics) -> list[dict[str, Any]]:
    pairs = {name: getattr(optics, name) for name in ("sigma_mm", "divergence_rad", "correlation")}
    return [
        {"energy_mev_u": float(energy), **{name: _line(values[i]) for name, values in pairs.items()}}
        for i, energy in enumerate(optics.energy_mev_u)
    ]


class _Line(list[float]):
    """A list that is written on one line."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Safe dumper that writes a `_Line` on one line."""


_Dumper.add_representer(
    _Line, lambda dumper, row: dumper.represent_sequence("tag:yaml.org,2002:seq", row, flow_style=True)
)


def _line(values: NDArray[np.float64] | tuple[float, ...]) -> _Line:
    return _Line(float(v) for v in values)
