"""The patient: what every engine is given beside the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isodose.errors import InputError
from isodose.patient.grid import Grid
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume


@dataclass(frozen=True, slots=True)
class DicomIdentity:
    """What ties written DICOM objects to the study they came from."""

    patient_name: str = "isodose^phantom"
    patient_id: str = "isodose"
    study_uid: str = ""
    frame_of_reference_uid: str = ""
    structure_set_uid: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """CT, structures and, where known, a dose that came with them.

    Parameters
    ----------
    name
        Short name for figures and files.
    ct
        Hounsfield units on the grid.
    structures
        By name; all on the grid of the CT.
    dose
        A reference dose in Gy that came with the data, if any.
    position
        DICOM patient position; only head first supine and its turns (HFS, HFP, FFS, FFP).
    identity
        DICOM identifiers to write results into the same study.
    calibration
        Built-in Hounsfield calibration that fits the CT: ``"schneider"``, or ``"phantom"`` (exact materials).
    """

    name: str
    ct: Volume
    structures: Mapping[str, Structure] = field(default_factory=dict)
    dose: Volume | None = None
    position: str = "HFS"
    identity: DicomIdentity = field(default_factory=DicomIdentity)
    calibration: str = "schneider"

    def __post_init__(self) -> None:
        if self.position not in ("HFS", "HFP", "FFS", "FFP"):
            raise InputError("patient.position", self.position, "one of HFS, HFP, FFS, FFP")
        for structure in self.structures.values():
            if not structure.grid.matches(self.ct.grid):
                raise InputError(f"structure {structure.name!r}", "another grid", "the grid of the CT")

    @property
    def grid(self) -> Grid:
        """The grid of the CT."""
        return self.ct.grid

    def structure(self, name: str) -> Structure:
        """Structure by name, exactly or else without regard to case; an error lists what there is."""
        if name in self.structures:
            return self.structures[name]
        same = [s for key, s in self.structures.items() if key.casefold() == name.casefold()]
        if len(same) == 1:
            return same[0]
        raise InputError("structure", repr(name), f"one of {', '.join(self.structures) or '(none)'}")

    @property
    def targets(self) -> tuple[Structure, ...]:
        """Structures that are targets, in the order of the patient."""
        return tuple(s for s in self.structures.values() if s.role.is_target)

    @property
    def external(self) -> Structure | None:
        """Outline of the body, if delineated."""
        return next((s for s in self.structures.values() if s.role is Role.EXTERNAL), None)
