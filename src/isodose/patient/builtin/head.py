"""Head and neck: skull and brain, face with its air cavities, jaw, neck, and a nasopharyngeal target.

Lengths are those of adults (mm); the origin is the nasopharynx. ``side`` is +1 for the patient's left.
"""

from __future__ import annotations

import numpy as np

from isodose.patient.builtin.anatomy import (
    AIR_HU,
    Anatomy,
    Block,
    Layer,
    Region,
    bone,
    grained,
    muscle_with_fat_planes,
)
from isodose.patient.builtin.head_organs import Organs, organs
from isodose.patient.builtin.head_targets import targets
from isodose.patient.builtin.shapes import (
    Distances,
    Ellipsoid,
    Shape,
    Tube,
    Union,
    half_space,
)
from isodose.patient.builtin.variation import Variation
from isodose.patient.builtin.warp import StandingWaves
from isodose.patient.structure import Role

EXTENT_MM = (256.0, 256.0, 256.0)

SIDES = (1.0, -1.0)


def anatomy(seed: int) -> Anatomy:
    """Head and neck of a seed."""
    vary = Variation((seed, 101))
    parts = organs(vary)
    layers, skin = _layers(parts, vary)
    goals = targets(parts, vary)
    layers[-1:-1] = [Layer(goals.gross, grained(48.0, 4.0, 5.0))]
    scale = (vary.factor(0.02), vary.factor(0.02), vary.factor(0.015))
    warp = StandingWaves.random(vary.rng, 0.8, scale)
    outside = skin.grown(-3.0)
    regions = [
        Region("GTV", Role.GTV, goals.gross, (200, 30, 30)),
        Region("CTV", Role.CTV, goals.clinical & outside, (230, 90, 60)),
        Region("PTV", Role.PTV, goals.planning & outside, (255, 40, 40)),
        Region("CTVn", Role.CTV, goals.nodal & outside, (230, 150, 60)),
        Region("PTVn", Role.PTV, goals.nodal_planning & outside, (255, 170, 40)),
        *(Region(name, Role.ORGAN, shape, colour) for name, (shape, colour) in parts.delineated().items()),
    ]
    return Anatomy("head", EXTENT_MM, layers, skin, regions, warp, seed=seed)


def _layers(parts: Organs, vary: Variation) -> tuple[list[Layer], Shape]:
    skin = _skin(parts, vary)
    fat_mm = vary.between(2.5, 5.0)
    layers = [
        Layer(skin, 5.0),
        Layer(skin.grown(-1.5), grained(-95.0, 8.0, 8.0)),
        Layer(
            skin.grown(-1.5 - fat_mm) & half_space("z", below_mm=20.0),
            muscle_with_fat_planes(50.0, -85.0, 0.28),
        ),
        *_neck(parts, vary),
        *_skull(parts, vary),
        *_face(parts, vary),
        *_brain(parts),
        *parts.spine.layers(1050.0, 320.0),
        Layer(parts.brainstem, grained(33.0, 2.0, 2.5)),
        *_airways(parts),
    ]
    return layers, skin


def _skin(parts: Organs, vary: Variation) -> Shape:
    scalp = vary.between(4.0, 6.0) + parts.skull_mm
    cranium = parts.endocranium.grown(scalp)
    nose = Tube([(0, -88, 30), (0, -104, 0), (0, -92, -12)], (5.0, 10.0, 7.0))
    face = Ellipsoid((0, -38, -18), (64, 58, 68), power=2.6)
    chin = Ellipsoid((0, -64, -72), (34, 28, 18), (12, 0, 0))
    neck_width = vary.between(54, 62)
    neck = Tube(
        [(0, 18, 10), (0, 22, -60), (0, 20, -100), (0, 22, -150)],
        (neck_width, neck_width - 1, neck_width, neck_width + 12),
        stretch=(1.0, 0.98, 1.0),
    )
    ears = [
        Ellipsoid((side * 76, 24, 6), (5.5, 15, 29), (-15, 0, side * 25), power=2.5) for side in SIDES
    ]
    head = Union([cranium, face, chin, neck], 16.0)
    return head.joined(nose, *ears, blend_mm=6.0)


def _neck(parts: Organs, vary: Variation) -> list[Layer]:
    layers = []
    for side in SIDES:
        mastoid, collar = (side * 56, 34, -14), (side * 20, -22, -140)
        layers += [
            Layer(Ellipsoid((side * 31, 12, -75), (13, 15, 62), (8, 0, 0)), grained(-85.0, 10.0, 10.0)),
            Layer(
                Tube([mastoid, (side * 48, 8, -70), collar], (7, 9.5, 9), stretch=(0.8, 1.2, 1.0)),
                grained(58.0, 3.0, 7.0),
            ),
            Layer(Tube([(side * 27, 8, 5), (side * 25, 4, -60), (side * 24, 6, -150)], 3.4), 48.0),
            Layer(Tube([(side * 33, 16, 2), (side * 34, 11, -60), (side * 31, 10, -150)], 5.2), 46.0),
            Layer(Ellipsoid((side * 15, -14, -112), (9, 10, 22), (0, 0, side * 20)), grained(95.0, 6.0, 6.0)),
            Layer(parts.submandibular[side], grained(32.0, 6.0, 6.0)),
            Layer(parts.masseter[side], grained(60.0, 3.0, 7.0)),
            Layer(parts.temporalis[side], grained(58.0, 3.0, 7.0)),
            Layer(parts.parotid[side], grained(-8.0, 14.0, 12.0)),
            Layer(Ellipsoid((side * 42, -58, -22), (15, 14, 22)), grained(-95.0, 8.0, 8.0)),
        ]
    prevertebral = Tube([(0, 9, -12), (0, 10, -60), (0, 4, -110), (0, 8, -150)], 6.5, stretch=(2.4, 1, 1))
    layers += [
        Layer(prevertebral, grained(58.0, 3.0, 6.0)),
        Layer(parts.larynx_cartilage, grained(150.0, 40.0, 60.0)),
        Layer(parts.hyoid, bone(650.0, 300.0, 1.5)),
        Layer(parts.oesophagus, grained(40.0, 3.0, 6.0)),
        Layer(parts.tongue, grained(52.0, 8.0, 8.0)),
    ]
    return layers


def _skull(parts: Organs, vary: Variation) -> list[Layer]:
    thickness, cortex = parts.skull_mm, parts.table_mm
    table, diploe = vary.between(1250, 1500), vary.between(420, 620)

    def calvarium(block: Block) -> Distances:
        """Dense tables inside and outside, spongy diploe between; the base is denser throughout."""
        outer = np.clip((block.depth - np.float32(cortex)) / 1.0 + 0.5, 0, 1)
        inner = np.clip((np.float32(thickness - cortex) - block.depth) / 1.0 + 0.5, 0, 1)
        spongy = diploe + 90.0 * block.fine + 60.0 * block.coarse
        height = np.clip((block.field.z[block.box] - 10.0) / 25.0, 0, 1)
        spongy = spongy + (1 - height) * 200.0
        return np.asarray(table + outer * inner * (spongy - table), dtype=np.float32)

    layers = [Layer(parts.endocranium.grown(thickness), calvarium), Layer(parts.clivus, bone(900.0, 380.0, 1.5))]
    for side in SIDES:
        layers.append(Layer(parts.petrous[side], bone(1500.0, 1050.0, 2.0, 150.0)))
    return layers


def _brain(parts: Organs) -> list[Layer]:
    def sulci_and_matter(block: Block) -> Distances:
        """Grey rim and folds, white core, liquor in the furrows near the surface."""
        fold = np.abs(block.coarse + 0.35 * block.fine)
        near = np.exp(-np.maximum(block.depth, 0) / np.float32(9.0))
        furrow = np.exp(-((fold / np.float32(0.16)) ** 2)) * near
        grey = np.maximum(np.exp(-((fold / np.float32(0.55)) ** 2)) * np.sqrt(near), near)
        matter = 29.0 + 9.0 * grey + 1.5 * block.fine
        return np.asarray(matter + furrow * (10.0 - matter), dtype=np.float32)

    return [
        Layer(parts.endocranium, grained(12.0, 2.0, 2.0)),
        Layer(parts.brain_with_stem, sulci_and_matter),
        Layer(parts.cerebellum, grained(37.0, 2.0, 4.0)),
        Layer(parts.tentorium, 45.0),
        Layer(parts.ventricles, grained(8.0, 1.0, 1.0)),
        Layer(parts.falx & parts.brain_with_stem, 48.0),
        Layer(parts.pituitary, 45.0),
        *(Layer(parts.cochlea[side], 120.0) for side in SIDES),
        Layer(parts.chiasm, 38.0),
    ]


def _face(parts: Organs, vary: Variation) -> list[Layer]:
    maxilla = Union([parts.maxillary[s].grown(2.2) for s in SIDES] + [parts.nasal.grown(2.0)], 4.0)
    layers = [
        Layer(maxilla, bone(850.0, 400.0, 1.5)),
        Layer(parts.palate, bone(900.0, 350.0, 1.6)),
        Layer(Union([parts.ethmoid.grown(1.5), parts.sphenoid.grown(2.5), parts.frontal.grown(2.5)], 3.0), 700.0),
        Layer(Tube([(0, -84, 34), (0, -95, 16)], (4.0, 3.0), stretch=(1.6, 1, 1)), bone(900.0, 500.0, 1.2)),
    ]
    for side in SIDES:
        arch = [(side * 46, -56, 2), (side * 60, -40, 1), (side * 68, -12, 2), (side * 66, 8, 4)]
        rim = [(side * 46, -56, 4), (side * 47, -60, 22), (side * 44, -66, 38)]
        layers += [
            Layer(Tube(arch, (6.5, 4.5, 3.2, 4.0), stretch=(1, 1, 1.3)), bone(1050.0, 450.0, 1.4)),
            Layer(Tube(rim, (5.0, 4.0, 4.0)), bone(1050.0, 500.0, 1.4)),
            Layer(parts.orbit[side].grown(1.6) & half_space("y", above_mm=-66.0), 800.0),
            Layer(parts.orbit[side], grained(-95.0, 5.0, 6.0)),
            *(Layer(muscle, 50.0) for muscle in parts.eye_muscles[side]),
            Layer(parts.optic_nerve[side], 38.0),
            Layer(parts.eye[side].grown(0.8), 55.0),
            Layer(parts.eye[side].grown(-0.8), 12.0),
            Layer(parts.lens[side], 85.0),
        ]
    layers += [
        Layer(parts.mandible, bone(1350.0, 420.0, 2.6, 80.0)),
        Layer(parts.gums, 60.0),
        Layer(parts.teeth, _teeth),
    ]
    return layers


def _teeth(block: Block) -> Distances:
    """A row of teeth: dentine and enamel, parted by narrow gaps along the arch."""
    x, y = block.field.x[block.box], block.field.y[block.box]
    along = np.arctan2(x, -(y + np.float32(38.0))) * np.float32(38.0)
    gap = np.exp(-(((np.mod(along, 8.0) - 4.0) / 0.9) ** 2))
    enamel = np.clip(2.0 - block.depth, 0, 1)
    return np.asarray((1650.0 + 650.0 * enamel) * (1 - 0.7 * gap) + 80.0 * block.fine, dtype=np.float32)


def _airways(parts: Organs) -> list[Layer]:
    def mastoid_cells(block: Block) -> Distances:
        """Small air cells parted by thin bone."""
        return np.asarray(np.where(block.fine > -0.1, -620.0, 650.0), dtype=np.float32)

    def ethmoid_cells(block: Block) -> Distances:
        """Air cells parted by leaves thinner than a voxel."""
        return np.asarray(np.where(np.abs(block.fine) < 0.3, -450.0, -930.0), dtype=np.float32)

    layers = [
        Layer(parts.nasal, grained(40.0, 4.0, 8.0)),
        Layer(parts.nasal_air, AIR_HU),
        Layer(parts.ethmoid, ethmoid_cells),
        Layer(parts.sphenoid, AIR_HU),
        Layer(parts.frontal, AIR_HU),
        Layer(parts.airway.grown(2.0), 45.0),
        Layer(parts.airway, AIR_HU),
        Layer(parts.mouth_air, AIR_HU),
    ]
    for side in SIDES:
        layers += [
            Layer(parts.maxillary[side], 30.0),
            Layer(parts.maxillary_air[side], AIR_HU),
            Layer(parts.mastoid[side], mastoid_cells),
            Layer(parts.ear_canal[side], AIR_HU),
        ]
    return layers
