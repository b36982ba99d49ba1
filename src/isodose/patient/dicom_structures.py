"""Reading DICOM structure sets."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.tag import Tag
from pydicom.uid import RTStructureSetStorage

from isodose.errors import InputError, IsodoseWarning
from isodose.patient.contour_nesting import exclusive_or, holes_by_nesting, rings_of
from isodose.patient.contour_planes import PLANE_TOLERANCE_MM, plane_distance
from isodose.patient.contours import occupancy
from isodose.patient.dicom_object import naming, open_dicom, required
from isodose.patient.grid import Grid
from isodose.patient.structure import Contour, Role, Structure

CONTOUR_DATA = Tag("ContourData")
CLOSED_TYPES = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
OTHER_TYPES = ("POINT", "OPEN_PLANAR", "OPEN_NONPLANAR")


@dataclass(frozen=True, slots=True)
class RoiContours:
    """A region of interest as drawn, before it is put on a grid.

    Parameters
    ----------
    name, role, colour
        As of a ``Structure``.
    contours
        Closed polygons with their holes marked; none for an empty region.
    number
        ROI Number, by which other objects (a dose's DVHs) refer to it.
    """

    name: str
    role: Role
    colour: tuple[int, int, int]
    contours: tuple[Contour, ...]
    number: int


def _coordinates(item: Dataset, place: str, file: Path) -> NDArray[np.float64]:
    """Points ``(n, 3)`` of a contour, parsed from the raw text because structure sets hold millions."""
    element = item.get_item(CONTOUR_DATA)
    value: Any = b"" if element is None else element.value
    try:
        if isinstance(value, bytes):
            value = value.strip(b" \0").split(b"\\") if value.strip(b" \0") else []
        points = np.array(value if value is not None else [], dtype=np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise InputError(
            place + "ContourData", "text that is no number", "coordinates in mm", file
        ) from error
    if points.size % 3 or not np.all(np.isfinite(points)):
        raise InputError(place + "ContourData", f"{points.size} values", "finite triples (x, y, z)", file)
    declared = item.get("NumberOfContourPoints")
    if declared is not None and int(declared) != points.size // 3:
        expected = f"the {points.size // 3} points of ContourData"
        raise InputError(place + "NumberOfContourPoints", int(declared), expected, file)
    return points.reshape(-1, 3)


def _polygon(points: NDArray[np.float64], place: str, file: Path) -> tuple[float, NDArray[np.float64]]:
    """Height and vertices of a closed contour; repeated vertices are dropped."""
    z = points[:, 2]
    if np.ptp(z) > 2 * PLANE_TOLERANCE_MM:
        expected = "one z for the whole contour (axial contours only)"
        raise InputError(place + "ContourData", f"z from {z.min():g} to {z.max():g} mm", expected, file)
    xy = np.ascontiguousarray(points[:, :2])
    if len(xy):
        xy = xy[np.any(xy != np.roll(xy, 1, axis=0), axis=1)]
    return float(z.mean()) if z.size else 0.0, xy


class _Findings:
    """What was passed over while reading, told in one warning each for the whole file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.found: dict[str, dict[str, int]] = {}

    def add(self, what: str, roi: str, count: int = 1) -> None:
        """Count findings in a region."""
        if count:
            rois = self.found.setdefault(what, {})
            rois[roi] = rois.get(roi, 0) + count

    def warn(self) -> None:
        """Issue the warnings."""
        for what, rois in self.found.items():
            listed = ", ".join(f"{roi!r} ({count})" for roi, count in rois.items())
            warnings.warn(f"{self.file}: {what}: {listed}", IsodoseWarning, stacklevel=4)


def _contours(
    items: Sequence[Dataset], roi: str, place: str, file: Path, findings: _Findings
) -> tuple[Contour, ...]:
    """Parse the closed contours of one region, holes marked."""
    planes: dict[tuple[int, str], list[tuple[float, NDArray[np.float64]]]] = {}
    for i, item in enumerate(items):
        here = f"{place}ContourSequence[{i}]."
        kind = str(required(item, "ContourGeometricType", file, here)).strip()
        if kind not in CLOSED_TYPES:
            if kind not in OTHER_TYPES:
                raise InputError(here + "ContourGeometricType", kind, f"one of {CLOSED_TYPES}", file)
            if kind != "POINT":
                findings.add("open contours passed over", roi)
            continue
        z, points = _polygon(_coordinates(item, here, file), here, file)
        if len(points) < 3:
            findings.add("contours of fewer than 3 points passed over", roi)
            continue
        planes.setdefault((round(z / PLANE_TOLERANCE_MM), kind), []).append((z, points))
    contours: list[Contour] = []
    for (_, kind), drawn in sorted(planes.items()):
        polygons = [points for _, points in drawn]
        if kind == "CLOSEDPLANAR_XOR":
            marked = exclusive_or(polygons)
        else:
            rings = [ring for points in polygons for ring in rings_of(points)]
            marked = list(zip(rings, holes_by_nesting(rings), strict=True))
            inferred = sum(hole for _, hole in marked) - (len(rings) - len(polygons))
            findings.add("closed contours within others taken for holes", roi, max(inferred, 0))
        contours.extend(Contour(drawn[0][0], points, hole) for points, hole in marked)
    return tuple(contours)


def _role(observation: Dataset | None) -> Role:
    """Role by RT ROI Interpreted Type; types without a role of their own are other."""
    kind = "" if observation is None else str(observation.get("RTROIInterpretedType") or "").strip().upper()
    return Role(kind) if kind in {role.value for role in Role} else Role.OTHER


def _colour(item: Dataset | None) -> tuple[int, int, int]:
    """Display colour, or the default of a structure."""
    value = None if item is None else item.get("ROIDisplayColor")
    if value is None or len(value) != 3:
        return (220, 60, 60)
    red, green, blue = (min(255, max(0, int(v))) for v in value)
    return red, green, blue


def _check_frame(roi: Dataset, dataset: Dataset, expected: str, place: str, file: Path) -> None:
    """Refuse contours of another frame of reference than the CT's."""
    found = roi.get("ReferencedFrameOfReferenceUID")
    if not found:
        frames = dataset.get("ReferencedFrameOfReferenceSequence") or [dataset]
        found = frames[0].get("FrameOfReferenceUID")
    if found != expected:
        what = f"{place}ReferencedFrameOfReferenceUID"
        raise InputError(what, found or "nothing", f"the frame of reference of the CT ({expected})", file)


def _unique(name: str, taken: dict[str, RoiContours], number: int) -> str:
    """Name that no other region has; names need not be unique in DICOM."""
    if name and name not in taken:
        return name
    name = f"{name} #{number}"
    while name in taken:
        name += "'"
    return name


def read_contours(path: str | Path, *, frame_of_reference_uid: str | None = None) -> list[RoiContours]:
    """Regions of a structure set as drawn.

    A closed contour inside another is a hole (an island within a hole adds again); contours of type
    CLOSEDPLANAR_XOR are combined by exclusive or; keyhole outlines are taken apart into rings and holes.

    Parameters
    ----------
    path
        RTSTRUCT file.
    frame_of_reference_uid
        The CT's, against which every region with contours is checked.

    Returns
    -------
    list of RoiContours
        In the order of the file; regions without a closed contour have none.

    Raises
    ------
    InputError
        For a file that is no structure set, another frame of reference, or contours that are not planar, not
        finite or not of the declared length; it names the item.

    Warns
    -----
    IsodoseWarning
        If open or degenerate contours are passed over, holes are inferred or a name occurs twice.
    """
    file = Path(path)
    with naming(file):
        return _parsed(open_dicom(file, RTStructureSetStorage), frame_of_reference_uid, file)


def _parsed(dataset: FileDataset, frame_of_reference_uid: str | None, file: Path) -> list[RoiContours]:
    """Check and convert a structure set."""
    drawn = {
        int(c.ReferencedROINumber): (i, c) for i, c in enumerate(dataset.get("ROIContourSequence") or [])
    }
    observed = {int(o.ReferencedROINumber): o for o in dataset.get("RTROIObservationsSequence") or []}
    findings = _Findings(file)
    regions: dict[str, RoiContours] = {}
    for i, roi in enumerate(dataset.get("StructureSetROISequence") or []):
        number = int(required(roi, "ROINumber", file, f"StructureSetROISequence[{i}]."))
        given = str(roi.get("ROIName") or "").strip()
        name = _unique(given, regions, number)
        if name != given:
            findings.add("regions with an empty or repeated name renamed", name)
        at, item = drawn.get(number, (-1, None))
        contours: tuple[Contour, ...] = ()
        items = [] if item is None else item.get("ContourSequence") or []
        if items:
            place = f"ROI {name!r}, "
            if frame_of_reference_uid is not None:
                _check_frame(roi, dataset, frame_of_reference_uid, place, file)
            contours = _contours(items, name, f"{place}ROIContourSequence[{at}].", file, findings)
        regions[name] = RoiContours(name, _role(observed.get(number)), _colour(item), contours, number)
    findings.warn()
    return list(regions.values())


def structures_on(
    grid: Grid, regions: Sequence[RoiContours], *, plane_distance_mm: float | None = None
) -> dict[str, Structure]:
    """Regions put on a grid, which need not be the CT's.

    Parameters
    ----------
    grid
        Where the voxels are to be.
    regions
        From ``read_contours``.
    plane_distance_mm
        Slice distance in mm for regions drawn in one plane only; by default the smallest one among the other
        regions, or else the grid's.

    Returns
    -------
    dict
        Structures by name, in the order of the regions, empty ones among them.
    """
    if plane_distance_mm is None:
        distances = [plane_distance(region.contours) for region in regions]
        plane_distance_mm = min((d for d in distances if d is not None), default=grid.spacing_mm[2])
    structures = {}
    for region in regions:
        voxels = occupancy(region.contours, grid, plane_distance_mm=plane_distance_mm, name=region.name)
        structures[region.name] = Structure(
            region.name, region.role, grid, voxels, region.contours, region.colour
        )
    return structures


def read_structures(
    path: str | Path, grid: Grid, *, frame_of_reference_uid: str | None = None
) -> dict[str, Structure]:
    """Structures of a structure set on a grid: ``read_contours`` and ``structures_on`` in one step."""
    regions = read_contours(path, frame_of_reference_uid=frame_of_reference_uid)
    return structures_on(grid, regions)
