"""Arguments and options that several verbs have."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isodose.errors import InputError

if TYPE_CHECKING:
    from isodose.patient.patient import Patient
    from isodose.patient.structure import Structure

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
BAD_INPUT = 2
"""Exit code after an input that cannot be used."""


class Ion(StrEnum):
    """What beams are made of."""

    PROTON = "proton"
    HELIUM = "helium"
    CARBON = "carbon"
    OXYGEN = "oxygen"


class Format(StrEnum):
    """File formats of results."""

    DICOM = "dicom"
    MHA = "mha"
    NRRD = "nrrd"
    NIFTI = "nifti"


PatientArgument = Annotated[
    str, typer.Argument(metavar="PATIENT", help="DICOM folder, OpenKBP folder, or a built-in patient's name.")
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for the results.", show_default="a new one")
]
Seed = Annotated[int, typer.Option(help="Seed of the random numbers; the same seed gives the same result.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads.", show_default="all processors")]
Histories = Annotated[
    int | None, typer.Option(help="Primary particles to follow.", show_default="the engine's")
]
Gantry = Annotated[
    list[float], typer.Option(help="Gantry angle of a beam, degrees (IEC); repeat for more beams.")
]


def result_folder(out: Path | None, verb: str) -> Path:
    """Folder of the results: the one asked for, or a new one that says verb and time."""
    return out or Path(f"isodose-{verb}-{datetime.now():%Y%m%d-%H%M%S}")


def target_of(patient: Patient, name: str | None) -> Structure:
    """Structure to cover: the named one, or else the patient's first planning target, or first target."""
    from isodose.patient.structure import Role

    if name is not None:
        return patient.structure(name)
    for structure in sorted(patient.targets, key=lambda s: s.role is not Role.PTV):
        return structure
    raise InputError("--target", "nothing", f"one of {', '.join(patient.structures) or '(no structures)'}")
