"""Two public patients with doses, structures and the dose-volume histograms that Eclipse computed for them.

They lie in the folder ``shared`` beside the checkout and are not part of isodose.
"""

from __future__ import annotations

import base64
import csv
import re
import struct
import warnings
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK
from numpy.typing import NDArray

from isodose.errors import IsodoseWarning
from isodose.patient.contour_nesting import holes_by_nesting
from isodose.patient.contours import occupancy
from isodose.patient.dicom_structures import read_contours, structures_on
from isodose.patient.grid import Grid
from isodose.patient.structure import Contour, Role, Structure
from isodose.patient.volume import Volume

DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


@dataclass(frozen=True, slots=True)
class EclipseCurve:
    """Eclipse's cumulative histogram: percent of the volume at doses in Gy, and the volume it states."""

    dose_gy: NDArray[np.float64]
    percent: NDArray[np.float64]
    volume_cm3: float


@dataclass(frozen=True, slots=True)
class EclipseCase:
    """A patient with Eclipse's curves by structure; ``full_gy`` is the dose that percent refer to."""

    name: str
    dose: Volume
    structures: Mapping[str, Structure]
    curves: Mapping[str, EclipseCurve]
    full_gy: float


def breast() -> EclipseCase:
    """Read the breast patient: DICOM, with the curves in the RTDOSE; 14 Gy are prescribed."""
    folder = DATA / "eclipse_breast"
    dataset = pydicom.dcmread(folder / "rtdose.dcm")
    rows, columns = (float(v) for v in dataset.PixelSpacing)
    origin = tuple(float(v) for v in dataset.ImagePositionPatient)
    z_step = float(dataset.GridFrameOffsetVector[1]) - float(dataset.GridFrameOffsetVector[0])
    values = dataset.pixel_array * float(dataset.DoseGridScaling)
    grid = Grid(origin, (columns, rows, z_step), values.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IsodoseWarning)
        regions = read_contours(folder / "rtss.dcm")
        structures = structures_on(grid, regions)
    names = {region.number: region.name for region in regions}
    curves = {}
    for item in dataset.DVHSequence:
        data = np.asarray(item.DVHData, dtype=np.float64).reshape(-1, 2)
        dose = np.cumsum(data[:, 0]) - data[:, 0]
        volume = data[:, 1] * (1.0 if item.DVHVolumeUnits == "CM3" else np.nan)
        name = names[int(item.DVHReferencedROISequence[0].ReferencedROINumber)]
        curves[name] = EclipseCurve(dose, 100 * volume / volume[0], float(volume[0]))
    return EclipseCase("breast", Volume(grid, values), structures, curves, 14.0)


def ent() -> EclipseCase:
    """Read the ENT patient: NRRD dose, VTK outlines, curves as a table; percent of the maximum."""
    folder = DATA / "eclipse_ent"
    image = SimpleITK.ReadImage(str(folder / "EclipseEnt_Dose.nrrd"))
    values = SimpleITK.GetArrayFromImage(image)
    dose = Volume(Grid(image.GetOrigin(), image.GetSpacing(), values.shape), values)
    structures = {}
    for file in sorted((folder / "EclipseEnt_Structures.seg").glob("*.vtp")):
        name, outlines = _outlines(file)
        structures[name] = _structure(name, outlines, dose.grid)
    keys = {_letters(name): name for name in structures}
    curves = {}
    with (folder / "EclipseEnt_DvhTable_Eclipse.csv").open(newline="") as stream:
        header, *lines = list(csv.reader(stream))
    for i in range(0, len(header) - 1, 2):
        cells = [line[i : i + 2] for line in lines if len(line) > i + 1 and line[i].strip()]
        table = np.asarray(cells, dtype=np.float64)
        found = re.search(r"of ([\d.]+) cc", header[i + 1])
        name = keys[_letters(header[i].removesuffix("_DvhArray Dose (Gy)"))]
        assert found is not None
        curves[name] = EclipseCurve(table[:, 0], table[:, 1], float(found.group(1)))
    return EclipseCase("ENT", dose, structures, curves, float(values.max()))


def _letters(name: str) -> str:
    """Name without punctuation and case, which the table and the outlines write differently."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _structure(name: str, outlines: list[NDArray[np.float64]], grid: Grid) -> Structure:
    """Structure from closed outlines ``(n, 3)`` in the patient's frame."""
    planes: dict[float, list[NDArray[np.float64]]] = {}
    for outline in outlines:
        planes.setdefault(round(float(outline[0, 2]), 2), []).append(np.ascontiguousarray(outline[:, :2]))
    contours = tuple(
        Contour(z, polygon, hole)
        for z, polygons in sorted(planes.items())
        for polygon, hole in zip(polygons, holes_by_nesting(polygons), strict=True)
    )
    return Structure(name, Role.OTHER, grid, occupancy(contours, grid, name=name), contours)


def _outlines(file: Path) -> tuple[str, list[NDArray[np.float64]]]:
    """Name and closed outlines ``(n, 3)`` of a VTK XML file of poly-lines, turned from RAS to LPS."""
    root = ET.parse(file).getroot()
    name = next(_array(item) for item in root.iter("Array") if item.get("Name") == "Segment_Name")
    piece = root.find("PolyData/Piece")
    assert piece is not None
    points = _array(piece.find("Points/DataArray")).reshape(-1, 3).astype(np.float64) * (-1, -1, 1)
    lines = {item.get("Name"): _array(item) for item in piece.findall("Lines/DataArray")}
    outlines = []
    for index in np.split(lines["connectivity"], lines["offsets"][:-1]):
        closed = points[index]
        outlines.append(closed[:-1] if np.allclose(closed[0], closed[-1]) else closed)
    return name.tobytes().decode().strip("\0"), outlines


def _array(item: ET.Element | None) -> NDArray[np.generic]:
    """Array of a VTK XML element: base64 of a header of block sizes, then base64 of zlib blocks."""
    assert item is not None
    assert item.text is not None
    kinds = {
        "Float32": "<f4",
        "Float64": "<f8",
        "Int64": "<i8",
        "Int32": "<i4",
        "String": "u1",
    }
    text = "".join(item.text.split())
    (blocks,) = struct.unpack("<I", base64.b64decode(text[:8])[:4])
    length = (4 * (3 + blocks) + 2) // 3 * 4
    sizes = struct.unpack(f"<{3 + blocks}I", base64.b64decode(text[:length])[: 4 * (3 + blocks)])[3:]
    data, start, out = base64.b64decode(text[length:]), 0, b""
    for size in sizes:
        out += zlib.decompress(data[start : start + size])
        start += size
    return np.frombuffer(out, kinds[item.attrib["type"]])
