"""Head and neck: skull and brain, face with its air cavities, jaw, neck, and a nasopharyngeal target.

Lengths are those of adults (mm); the origin is the nasopharynx; x to the patient's left, y to the back, z up.
"""

from __future__ import annotations

from isodose.patient.builtin.anatomy import Anatomy, Layer, Region, grained, muscle_with_fat_planes
from isodose.patient.builtin.head.cranium import Cranium, cranium
from isodose.patient.builtin.head.face import Face, face
from isodose.patient.builtin.head.neck import Neck, neck
from isodose.patient.builtin.head.targets import Targets, targets
from isodose.patient.builtin.shapes import Shape, Union, half_space
from isodose.patient.builtin.solids import Ellipsoid, Tube
from isodose.patient.builtin.variation import SIDES, Variation
from isodose.patient.builtin.warp import StandingWaves
from isodose.patient.structure import Role

EXTENT_MM = (256.0, 256.0, 256.0)


def anatomy(seed: int) -> Anatomy:
    """Head and neck of a seed."""
    vary = Variation((seed, 101))
    skull, visage = cranium(vary), face(vary)
    throat = neck(visage.mandible, vary)
    goals = targets(skull, throat, vary)
    skin = _skin(skull, vary)
    fat_mm = vary.between(2.5, 5.0)
    surface = [Layer(skin, 5.0), Layer(skin.grown(-1.5), grained(-95.0, 8.0, 8.0))]
    layers = [
        Layer(
            skin.grown(-1.5 - fat_mm) & half_space("z", below_mm=20.0),
            muscle_with_fat_planes(45.0, -85.0, 0.28),
        ),
        *throat.soft,
        *skull.bones,
        *throat.bones,
        *visage.bones,
        *skull.contents,
        *visage.cavities,
        Layer(goals.gross, grained(48.0, 4.0, 5.0)),
        *throat.cavities,
    ]
    openings = [*visage.nostrils, *throat.ear_canals]
    scale = (vary.factor(0.02), vary.factor(0.02), vary.factor(0.012))
    warp = StandingWaves.random(vary.rng, 0.8, scale)
    regions = _regions(skull, visage, throat, goals, skin.grown(-2.0))
    interior = skin.grown(-2.5)
    return Anatomy("head", EXTENT_MM, skin, surface, interior, layers, openings, regions, warp, seed=seed)


def _skin(skull: Cranium, vary: Variation) -> Shape:
    scalp = vary.between(4.0, 6.0)
    nose = Tube([(0, -86, 32), (0, -102, 0), (0, -92, -12)], (5.0, 9.5, 7.0), (1.35, 1.0, 1.0))
    cheeks = Ellipsoid((0, -36, -20), (70, 58, 66), power=2.5)
    jaw = Ellipsoid((0, -28, -52), (61, 58, 34), (-6, 0, 0), power=2.4)
    throat = Ellipsoid((0, -42, -68), (42, 40, 24), (-14, 0, 0))
    chin = Ellipsoid((0, -70, -75), (30, 26, 18), (12, 0, 0))
    lips = Ellipsoid((0, -88, -42), (24, 11, 12))
    width = vary.between(54, 61)
    nape = Tube(
        [(0, 20, 10), (0, 20, -60), (0, 18, -100), (0, 22, -150)],
        (width, width - 1, width, width + 12),
        stretch=(1.0, 0.98, 1.0),
    )
    ears = [Ellipsoid((s * 72, 23, 2), (5.0, 16, 28), (-12, 0, -s * 20), power=2.5) for s in SIDES]
    head = Union([skull.skull.grown(scalp), cheeks, jaw, throat, chin, nape], 14.0)
    return Union([head, nose, lips, *ears], 6.0)


def _regions(skull: Cranium, visage: Face, throat: Neck, goals: Targets, inside: Shape) -> list[Region]:
    regions = [
        Region("GTV", Role.GTV, goals.gross, (200, 30, 30)),
        Region("CTV", Role.CTV, goals.clinical & inside, (230, 90, 60)),
        Region("PTV", Role.PTV, goals.planning & inside, (255, 40, 40)),
        Region("CTVn", Role.CTV, goals.nodal & inside, (230, 150, 60)),
        Region("PTVn", Role.PTV, goals.nodal_planning & inside, (255, 170, 40)),
    ]
    nerves = Union(list(visage.optic_nerve.values()))
    organs: list[tuple[str, Shape, tuple[int, int, int]]] = [
        ("Brain", skull.brain - nerves.grown(1.0), (255, 205, 150)),
        ("Brainstem", skull.brainstem, (40, 160, 60)),
        ("SpinalCord", throat.cord, (70, 90, 230)),
        ("OpticChiasm", skull.chiasm, (120, 220, 220)),
        ("Pituitary", skull.pituitary, (200, 120, 220)),
        ("Bone_Mandible", visage.mandible, (190, 150, 90)),
        ("Cavity_Oral", visage.mouth, (230, 130, 190)),
        ("Larynx", throat.larynx, (100, 180, 240)),
        ("Esophagus", throat.oesophagus, (160, 120, 60)),
    ]
    for s, letter in zip(SIDES, "LR", strict=True):
        organs += [
            (f"Parotid_{letter}", throat.parotid[s], (240, 220, 60)),
            (f"Glnd_Submand_{letter}", throat.submandibular[s], (180, 230, 90)),
            (f"Eye_{letter}", visage.eye[s], (90, 140, 255)),
            (f"Lens_{letter}", visage.lens[s], (20, 200, 220)),
            (f"OpticNrv_{letter}", (visage.optic_nerve[s] - skull.chiasm) - visage.eye[s], (60, 220, 170)),
            (f"Cochlea_{letter}", skull.cochlea[s], (220, 90, 220)),
        ]
    return [*regions, *(Region(name, Role.ORGAN, shape & inside, colour) for name, shape, colour in organs)]
