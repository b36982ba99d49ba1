"""Say where a beam comes in through what the plan did not see: the couch, or the edge of the CT."""

from __future__ import annotations

import warnings

import numpy as np

from isodose.errors import IsodoseWarning
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.pencilbeam.beam_view import BeamView
from isodose.plan.beam_frame import spot_rays
from isodose.plan.plan_check import BODY_ABOVE_HU
from isodose.plan.ray_casting import trace

_MOST_RAYS = 400
_COUCH_WATER_MM = 1.0
_SKIN_MM = 1.0


class EntranceWarning(IsodoseWarning):
    """A beam enters the patient through something that is not the patient."""


def warn_of_entrance(view: BeamView, patient: Patient) -> None:
    """Warn if rays of a beam pass a couch, or begin inside the body because the CT is cut off.

    Warns
    -----
    EntranceWarning
        Naming the beam, and what it crosses.
    """
    if patient.external is None or patient.calibration == "phantom":
        return  # a phantom ends with its CT
    rays = view.rays[:: max(view.rays.size // _MOST_RAYS, 1)]
    u, v = view.fan.rays_mm(rays)
    points, directions = spot_rays(view.beam, u, v, view.fan.source_distance_mm, patient.position)
    body = patient.external.mask
    name = view.beam.name
    outside = (patient.ct.values > BODY_ABOVE_HU) & ~body
    if outside.any():
        # Path through dense voxels outside the body before the body is met.
        dense = Volume(patient.grid, outside.astype(np.float64))
        found = trace(dense, body, points, directions).proximal_mm
        couch = float(np.nanmax(found, initial=0.0))
        if couch > _COUCH_WATER_MM:
            warnings.warn(
                f"beam {name!r} crosses up to {couch:.0f} mm of matter outside the body (couch, mask), "
                "which is left out",
                EntranceWarning,
                stacklevel=3,
            )
    length = Volume(patient.grid, np.ones(patient.grid.shape, dtype=np.float32))
    inside = trace(length, body, points, directions)
    cut = np.count_nonzero(inside.proximal_mm < _SKIN_MM)
    if cut:
        warnings.warn(
            f"beam {name!r} enters through the edge of the CT ({100 * cut / rays.size:.0f} % of its rays): "
            "what lies before it is missing",
            EntranceWarning,
            stacklevel=3,
        )
