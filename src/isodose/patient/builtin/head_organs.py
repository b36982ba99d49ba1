"""Organs and bones of the head and neck as shapes; see `isodose.patient.builtin.head` for the frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from isodose.patient.builtin.shapes import (
    Difference,
    Distances,
    Ellipsoid,
    Implicit,
    Shape,
    Tube,
    Union,
    half_space,
)
from isodose.patient.builtin.spine import Column, Vertebra, column
from isodose.patient.builtin.variation import Variation

SIDES = (1.0, -1.0)

Pair = Mapping[float, Shape]


@dataclass(frozen=True, slots=True)
class Organs:
    """Every part that more than one layer or region needs."""

    endocranium: Shape
    skull_mm: float
    table_mm: float
    brain: Shape
    brain_with_stem: Shape
    brainstem: Shape
    cerebellum: Shape
    tentorium: Shape
    ventricles: Shape
    falx: Shape
    pituitary: Shape
    chiasm: Shape
    clivus: Shape
    petrous: Pair
    cochlea: Pair
    spine: Column
    cord: Shape
    nasal: Shape
    nasal_air: Shape
    maxillary: Pair
    maxillary_air: Pair
    ethmoid: Shape
    sphenoid: Shape
    frontal: Shape
    palate: Shape
    airway: Shape
    nasopharynx: Shape
    mouth_air: Shape
    mouth: Shape
    tongue: Shape
    mastoid: Pair
    ear_canal: Pair
    orbit: Pair
    eye: Pair
    lens: Pair
    optic_nerve: Pair
    eye_muscles: Mapping[float, tuple[Shape, ...]]
    mandible: Shape
    gums: Shape
    teeth: Shape
    parotid: Pair
    submandibular: Pair
    masseter: Pair
    temporalis: Pair
    larynx: Shape
    larynx_cartilage: Shape
    hyoid: Shape
    oesophagus: Shape

    def delineated(self) -> dict[str, tuple[Shape, tuple[int, int, int]]]:
        """Organs at risk by their TG-263 name, with a colour."""
        out: dict[str, tuple[Shape, tuple[int, int, int]]] = {
            "Brain": (self.brain, (255, 205, 150)),
            "Brainstem": (self.brainstem, (40, 160, 60)),
            "SpinalCord": (self.cord, (70, 90, 230)),
            "OpticChiasm": (self.chiasm, (120, 220, 220)),
            "Pituitary": (self.pituitary, (200, 120, 220)),
            "Bone_Mandible": (self.mandible, (190, 150, 90)),
            "Cavity_Oral": (self.mouth, (230, 130, 190)),
            "Larynx": (self.larynx, (100, 180, 240)),
            "Esophagus": (self.oesophagus, (160, 120, 60)),
        }
        for side, letter in ((1.0, "L"), (-1.0, "R")):
            out |= {
                f"Parotid_{letter}": (self.parotid[side], (240, 220, 60)),
                f"Glnd_Submand_{letter}": (self.submandibular[side], (180, 230, 90)),
                f"Eye_{letter}": (self.eye[side], (90, 140, 255)),
                f"Lens_{letter}": (self.lens[side], (20, 200, 220)),
                f"OpticNrv_{letter}": (self.optic_nerve[side], (60, 220, 170)),
                f"Cochlea_{letter}": (self.cochlea[side], (220, 90, 220)),
            }
        return out


def organs(vary: Variation) -> Organs:
    """Organs of one anatomy."""
    skull, table = vary.between(6.0, 7.8), vary.between(1.6, 2.1)
    cranium = _cranium(vary)
    face = _face(vary)
    jaw = _jaw(vary)
    throat = _throat(vary)
    spine = _spine(vary)
    cord = spine.cord & half_space("z", below_mm=-13.0)
    glands = _glands(jaw["mandible"], vary)
    return Organs(
        skull_mm=skull, table_mm=table, spine=spine, cord=cord, **cranium, **face, **jaw, **throat, **glands
    )  # type: ignore[arg-type]
