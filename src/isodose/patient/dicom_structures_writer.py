"""Writing DICOM structure sets."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.charset import default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, RTStructureSetStorage

from isodose.errors import IsodoseWarning
from isodose.patient.contour_nesting import joined
from isodose.patient.dicom_ct import CtSeries
from isodose.patient.dicom_object import complete_identity, new_object, save_dicom, sequence_item, stamp_date
from isodose.patient.outlines import contours_of
from isodose.patient.patient import DicomIdentity
from isodose.patient.structure import Contour, Structure

CONTOUR_DATA = Tag("ContourData")

STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management, the retired class by which structure sets refer to a study."""


def _image(uid: str) -> Dataset:
    """Refer to a slice of the CT."""
    return sequence_item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=uid)


def _contour(points: NDArray[np.float64], z_mm: float, images: Sequence[Dataset]) -> Dataset:
    """One item of a contour sequence, coordinates to 1e-6 mm."""
    rounded = np.column_stack([points, np.full(len(points), z_mm)]).round(6)
    item = sequence_item(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=len(points))
    # As text that pydicom writes as it is, because the item says that it is encoded so already: to check and
    # convert every number would take 10 us for each, half a minute for a large structure set.
    text = "\\".join([f"{v:.10g}" for v in rounded.ravel().tolist()]).encode()
    text += b" " * (len(text) % 2)
    item[CONTOUR_DATA] = RawDataElement(CONTOUR_DATA, "DS", len(text), text, 0, True, True)
    item.set_original_encoding(
        is_implicit_vr=True, is_little_endian=True, character_encoding=default_encoding
    )
    if images:
        item.ContourImageSequence = list(images)
    return item


def _contour_items(contours: Iterable[Contour], ct: CtSeries) -> list[Dataset]:
    """Contours of one structure, holes joined to their outlines as keyholes: all readers fill these alike."""
    z = ct.volume.grid.axis_mm("z")
    items = []
    for height, plane in groupby(sorted(contours, key=lambda c: c.z_mm), key=lambda c: c.z_mm):
        nearest = int(np.abs(z - height).argmin())
        images = [_image(ct.instance_uids[nearest])] if abs(z[nearest] - height) < 0.01 else []
        for points in joined([(c.points_mm, c.hole) for c in plane]):
            items.append(_contour(points, height, images))
    return items


def _referenced_frame(identity: DicomIdentity, ct: CtSeries) -> Dataset:
    """Frame of reference with the study, series and slices that the contours were drawn on."""
    series = sequence_item(
        SeriesInstanceUID=ct.series_uid, ContourImageSequence=[_image(uid) for uid in ct.instance_uids]
    )
    study = sequence_item(
        ReferencedSOPClassUID=STUDY_CLASS,
        ReferencedSOPInstanceUID=identity.study_uid,
        RTReferencedSeriesSequence=[series],
    )
    return sequence_item(
        FrameOfReferenceUID=identity.frame_of_reference_uid, RTReferencedStudySequence=[study]
    )


def write_structures(
    path: str | Path, structures: Iterable[Structure], identity: DicomIdentity, ct: CtSeries
) -> str:
    """Write structures as an RTSTRUCT.

    Structures that came with contours keep them; others are outlined voxel by voxel. Empty structures are
    written without contours.

    Parameters
    ----------
    path
        File to write, in an existing folder.
    structures
        What to write.
    identity
        Patient and study, as of the CT.
    ct
        The series they belong to, from ``read_ct`` or ``write_ct``.

    Returns
    -------
    str
        SOP Instance UID of the structure set.

    Raises
    ------
    OutputError
        If the file cannot be written.

    Warns
    -----
    IsodoseWarning
        If a structure that is not empty has no contour, because it fills no voxel by half.
    """
    who = complete_identity(identity)
    uid = who.structure_set_uid
    dataset = new_object(RTStructureSetStorage, who, uid, uid, "Structures")
    stamp_date(dataset, "StructureSet", "InstanceCreation")
    dataset.StructureSetLabel = "isodose"
    dataset.ReferencedFrameOfReferenceSequence = [_referenced_frame(who, ct)]
    regions, drawings, observations = [], [], []
    for number, structure in enumerate(structures, start=1):
        contours = structure.contours or contours_of(structure.occupancy, structure.grid)
        if not contours and not structure.is_empty:
            warnings.warn(
                f"{path}: structure {structure.name!r} ({structure.volume_cm3:.2g} cm3) fills no voxel by "
                "half and is written without contours",
                IsodoseWarning,
                stacklevel=2,
            )
        regions.append(_region(number, structure, who))
        drawings.append(_drawing(number, structure, _contour_items(contours, ct)))
        observations.append(_observation(number, structure))
    dataset.StructureSetROISequence = regions
    dataset.ROIContourSequence = drawings
    dataset.RTROIObservationsSequence = observations
    save_dicom(dataset, path)
    return uid


def _region(number: int, structure: Structure, identity: DicomIdentity) -> Dataset:
    """What a structure is called, and in which frame of reference it lies."""
    return sequence_item(
        ROINumber=number,
        ReferencedFrameOfReferenceUID=identity.frame_of_reference_uid,
        ROIName=structure.name[:64],
        ROIGenerationAlgorithm="",
    )


def _drawing(number: int, structure: Structure, contours: list[Dataset]) -> Dataset:
    """Colour and contours of a structure."""
    item = sequence_item(ROIDisplayColor=list(structure.colour), ReferencedROINumber=number)
    if contours:
        item.ContourSequence = contours
    return item


def _observation(number: int, structure: Structure) -> Dataset:
    """Role of a structure."""
    return sequence_item(
        ObservationNumber=number,
        ReferencedROINumber=number,
        RTROIInterpretedType=str(structure.role),
        ROIInterpreter="",
    )
