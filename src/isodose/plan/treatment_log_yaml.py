"""Treatment logs as YAML files.

A log holds these keys (those with a value here may be left out)::

    plan: ""                            # name of the plan
    fractions:
      - number: 1
        date: null                      # such as 2026-03-27
        beams:                          # all of the plan, by name
          - name: left
            layers:                     # all of the plan's beam, in its order
              - energy_mev_u: 212.5     # nominal
                spots:                  # all of the plan's layer: x, y in mm, particles, and if measured the
                  - [-3.1, 0.2, 1.2e6, 3.1, 3.2]    # standard deviations in x and y at the isocentre in mm
                  - [0.1, 0.0, 1.5e6, 3.1, 3.2]
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field

from isodose.errors import InputError
from isodose.machine.yaml_schema import Count, Number, Positive, Strict, Text, read_yaml
from isodose.plan.plan import Spots
from isodose.plan.treatment_log import LoggedBeam, LoggedFraction, LoggedLayer, TreatmentLog


def _spot(row: list[float]) -> list[float]:
    if len(row) not in (3, 5):
        raise ValueError(f"x, y and particles, or these and two sizes, not {len(row)} numbers")
    if row[2] < 0:
        raise ValueError("particles of at least 0")
    if any(size <= 0 for size in row[3:]):
        raise ValueError("sizes above zero")
    return row


def _calendar(value: object) -> object:
    if isinstance(value, (int, float)):
        raise ValueError("a date such as 2026-03-27")
    return value


_SpotRow = Annotated[list[Number], AfterValidator(_spot)]


class _LayerEntry(Strict):
    energy_mev_u: Positive
    spots: list[_SpotRow]


class _BeamEntry(Strict):
    name: Text
    layers: list[_LayerEntry]


class _FractionEntry(Strict):
    number: Count
    date: Annotated[datetime.date | None, BeforeValidator(_calendar)] = None
    beams: list[_BeamEntry]


class _LogFile(Strict):
    plan: str = ""
    fractions: Annotated[list[_FractionEntry], Field(min_length=1)]


def read_yaml_log(path: str | Path) -> TreatmentLog:
    """Read a treatment log from a YAML file.

    Raises
    ------
    InputError
        Naming the file and the field that is wrong, as ``fractions[0].beams[0].layers[2].spots[5]``.
    """
    path = Path(path)
    entry = read_yaml(path, _LogFile)
    fractions = []
    for i, fraction in enumerate(entry.fractions):
        beams = []
        for b, beam in enumerate(fraction.beams):
            place = f"fractions[{i}].beams[{b}].layers"
            layers = tuple(_layer(layer, f"{place}[{j}]", path) for j, layer in enumerate(beam.layers))
            beams.append(LoggedBeam(beam.name, layers))
        fractions.append(LoggedFraction(fraction.number, tuple(beams), fraction.date, path))
    return TreatmentLog(tuple(fractions), entry.plan)


def _layer(entry: _LayerEntry, place: str, path: Path) -> LoggedLayer:
    widths = [len(row) for row in entry.spots]
    if len(set(widths)) > 1:
        k = next(k for k, width in enumerate(widths) if width != widths[0])
        expected = f"{widths[0]}, as of the spots before"
        raise InputError(f"{place}.spots[{k}]", f"{widths[k]} numbers", expected, path)
    table = np.array(entry.spots, dtype=np.float64).reshape(len(widths), -1 if widths else 3)
    sizes = table[:, 3:] if table.shape[1] == 5 else None
    return LoggedLayer(entry.energy_mev_u, Spots(*table[:, :3].T), sizes)
