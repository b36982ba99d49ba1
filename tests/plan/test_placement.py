"""Spots over targets whose depths are known, and plans whose dose can be summed by hand."""

from dataclasses import replace

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.machine.machine_file import machine
from isodose.patient.grid import Grid
from isodose.patient.hounsfield import schneider
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume
from isodose.plan.beam_frame import beam_axes
from isodose.plan.depth_dose import depth_dose, range_mm
from isodose.plan.placement import Placement, layer_energies, place_beam
from isodose.plan.plan import Beam, Layer, Plan, RangeShifter, Spots
from isodose.plan.plan_check import check_plan
from isodose.plan.range_shifter import water_equivalent_mm
from isodose.plan.simple_plan import simple_plan
from isodose.plan.target_view import SpotPattern, view_target

GRID = Grid((-98, -98, -98), (4, 4, 4), (50, 50, 50))
"""From -100 to 100 mm."""

RSP = float(schneider().rsp_of_hu(np.array([0.0]))[0])


def box(name: str, role: Role, lower: tuple, upper: tuple) -> Structure:
    inside = [(GRID.axis_mm(c) > lower[i]) & (GRID.axis_mm(c) < upper[i]) for i, c in enumerate("xyz")]
    mask = inside[2][:, None, None] & inside[1][None, :, None] & inside[0][None, None, :]
    return Structure(name, role, GRID, mask.astype(np.float32))


def phantom(*structures: Structure, half_mm: float = 80.0) -> Patient:
    """A cube of water in air."""
    body = box("BODY", Role.EXTERNAL, (-half_mm,) * 3, (half_mm,) * 3)
    hu = np.where(body.mask, 0.0, -1000.0)
    return Patient("box", Volume(GRID, hu), {s.name: s for s in (body, *structures)})


CUBE = box("PTV", Role.PTV, (-24, -24, -24), (24, 24, 24))


def dose_at(plan: Plan, point: tuple, sigma_per_depth: float) -> float:
    """Dose in the phantom: the sum of all spots, each a Gaussian that widens in proportion to depth."""
    total, source = 0.0, machine(plan.machine)
    for beam in plan.beams:
        ex, ey, along = beam_axes(beam)
        offset = np.asarray(point) - np.asarray(beam.isocentre_mm)
        behind = offset @ along
        depth = (80.0 + np.asarray(point) @ along) * RSP
        magnify = [1 + behind / d for d in source.source_distance_mm]
        for layer in beam.layers:
            energy = layer.energy_mev_u
            curve = depth_dose(plan.ion, energy, source.energy_spread_percent(energy))
            sigma = np.hypot(source.spot_sigma_mm(energy)[0], sigma_per_depth * depth)
            r2 = (layer.spots.x_mm * magnify[0] - offset @ ex) ** 2 + (
                layer.spots.y_mm * magnify[1] - offset @ ey
            ) ** 2
            per_mm2 = layer.spots.particles @ np.exp(-r2 / (2 * sigma**2)) / (2 * np.pi * sigma**2)
            total += float(per_mm2 * curve.at(depth))
    return total


@pytest.mark.physics
@pytest.mark.parametrize(("ion", "spreading"), [("proton", 0.025), ("helium", 0.012), ("carbon", 0.007)])
@pytest.mark.parametrize("angles", [(0.0,), (0.0, 180.0), (90.0, 270.0)])
def test_the_target_gets_its_dose(ion: str, spreading: float, angles: tuple) -> None:
    plan = simple_plan(phantom(CUBE), "PTV", ion, gantry_angles=angles, prescription_gy=2.0)
    check_plan(plan, machine(plan.machine), phantom(CUBE))
    # The middle and its neighbourhood hold the prescription; faces lose a little to the penumbra.
    for point in [(0, 0, 0), (11.3, -7.1, 3.3), (0, 15, -15), (-15, -15, 15)]:
        assert dose_at(plan, point, spreading) == pytest.approx(2.0, rel=0.05)
    for point in [(22, 0, 0), (0, 0, -22), (0, 22, 0), (0, -22, 0)]:
        assert dose_at(plan, point, spreading) == pytest.approx(2.0, rel=0.10)
    for point in [(0, 0, 60), (60, 0, 0) if angles[0] == 0 else (0, 60, 0)]:
        assert dose_at(plan, point, spreading) < 0.05


@pytest.mark.parametrize("pattern", list(SpotPattern))
def test_view_of_a_box(pattern: SpotPattern) -> None:
    rsp = Volume(GRID, np.ones(GRID.shape))
    view = view_target(Beam("b", 0, 0, (0, 0, 0), ()), rsp, CUBE, (1e7, 1e7), "HFS", 5.0, 6.0, pattern)
    # Parallel rays, from the grid's face at -100 mm: the box lies from 76 to 124 mm for every one of them.
    beside = np.hypot(*np.maximum(np.abs([view.x_mm, view.y_mm]) - 24, 0))
    # The outermost spots may know the box from rays that run along its faces alone.
    sure = beside < 4.0
    np.testing.assert_allclose(view.proximal_mm, 76, atol=1e-3)
    np.testing.assert_allclose(view.distal_mm[sure], 124, atol=1e-3)
    assert beside.max() <= 6.0
    assert np.abs(view.x_mm).max() > 24
    # Spots cover the box and its margin once: 48 x 48 and 6 around, with rounded corners.
    covered = 48**2 + 4 * 48 * 6 + np.pi * 36
    assert view.x_mm.size * view.area_mm2 == pytest.approx(covered, rel=0.15)


def test_area_grows_behind_the_isocentre() -> None:
    rsp = Volume(GRID, np.ones(GRID.shape))
    beam = Beam("b", 0, 0, (0, -50, 0), ())
    view = view_target(beam, rsp, CUBE, (500, 1000), "HFS", 5.0, 0.0)
    assert view.area_mm2 == pytest.approx(25 * 1.1 * 1.05)


def test_layers_span_the_depths_of_the_target() -> None:
    plan = simple_plan(phantom(CUBE), "PTV", "carbon")
    ranges = range_mm("carbon", np.array([layer.energy_mev_u for layer in plan.beams[0].layers]))
    assert np.all(np.diff(ranges) < 0)
    near, far = (80 - 24) * RSP - 2, (80 + 24) * RSP + 2
    assert near - 3 < ranges[-1] < near + 1
    assert far < ranges[0] < far + 3


def test_spacings_and_margins_are_kept() -> None:
    placement = Placement(spot_spacing_mm=6, layer_spacing_mm=5, lateral_margin_mm=0, distal_margin_mm=10)
    plan = simple_plan(phantom(CUBE), "PTV", "proton", placement=placement)
    layers = plan.beams[0].layers
    ranges = range_mm("proton", np.array([layer.energy_mev_u for layer in layers]))
    np.testing.assert_allclose(np.diff(ranges), -5, atol=1e-3)
    assert ranges[0] > (80 + 24) * RSP + 10
    for layer in layers:
        np.testing.assert_allclose(layer.spots.x_mm / 6, np.round(layer.spots.x_mm / 6), atol=1e-9)
        assert np.abs(layer.spots.x_mm).max() <= 24


def test_energies_of_a_list_are_used() -> None:
    steps = replace(machine("generic_proton"), energies_mev_u=tuple(float(e) for e in range(70, 231, 5)))
    energies = layer_energies(60, 100, steps, 2.0)
    assert set(energies) <= set(steps.energies_mev_u)
    assert len(energies) == len(set(energies)) > 4


def test_shallow_target_gets_the_range_shifter() -> None:
    shallow = box("PTV", Role.PTV, (-12, -76, -12), (12, -56, 12))
    beam = simple_plan(phantom(shallow), "PTV", "proton").beams[0]
    assert beam.range_shifter is not None
    assert beam.range_shifter.name == "RS40"
    ranges = range_mm("proton", np.array([layer.energy_mev_u for layer in beam.layers]))
    far = 24 * RSP + 2 + water_equivalent_mm(beam.range_shifter)
    assert far < ranges[0] < far + 3


def test_no_shifter_thick_enough() -> None:
    shallow = box("PTV", Role.PTV, (-12, -76, -12), (12, -56, 12))
    bare = replace(machine("generic_proton"), shifters=())
    with pytest.raises(InputError, match="range shifter of machine 'generic_proton': found none"):
        simple_plan(phantom(shallow), "PTV", "proton", bare)


@pytest.mark.parametrize(
    ("structure", "text"),
    [
        (box("PTV", Role.PTV, (0, 0, 0), (0, 0, 0)), "an empty structure"),
        (box("PTV", Role.PTV, (-95, -95, -95), (-85, -85, -85)), "100 % lies outside 'BODY'"),
        (box("GTV", Role.GTV, (-9, -9, -9), (9, 9, 9)), "one of BODY, GTV"),
    ],
)
def test_targets_that_cannot_be_planned(structure: Structure, text: str) -> None:
    with pytest.raises(InputError, match=text):
        simple_plan(phantom(structure), "PTV", "proton")


def test_target_in_the_air_without_an_outline() -> None:
    target = box("PTV", Role.PTV, (-10, -10, -10), (10, 10, 10))
    air = Patient("air", Volume(GRID, np.full(GRID.shape, -1000.0)), {"PTV": target})
    with pytest.raises(InputError, match="outside the body"):
        simple_plan(air, "PTV", "proton")


def test_target_too_deep() -> None:
    deep = Volume(GRID, np.full(GRID.shape, 3.0))
    beam = Beam("b", 0, 0, (0, 0, 0), (), RangeShifter("RS40", 40.0))
    tight = Placement(distal_margin_mm=0, proximal_margin_mm=0)
    with pytest.raises(InputError, match=r"372 mm of water deep.*at most the 285 mm"):
        place_beam(beam, deep, CUBE, machine("generic_proton"), 2.0, tight)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"gantry_angles": ()}, "gantry_angles"),
        ({"couch_angles": (0, 0)}, "couch_angles"),
        ({"prescription_gy": 0}, "prescription_gy"),
        ({"prescription_gy": float("nan")}, "prescription_gy"),
        ({"machine": "generic_carbon"}, "ion"),
        ({"machine": "nowhere"}, "machine"),
    ],
)
def test_wrong_arguments(arguments: dict, field: str) -> None:
    with pytest.raises(InputError) as caught:
        simple_plan(phantom(CUBE), "PTV", "proton", **arguments)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "name", ["spot_spacing_mm", "layer_spacing_mm", "lateral_margin_mm", "distal_margin_mm"]
)
@pytest.mark.parametrize("value", [-1.0, 1e3, float("nan")])
def test_wrong_placements(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        Placement(**{name: value})


def plan_of(energy: float = 150.0, x: float = 0.0, particles: float = 1e6, **beam: object) -> Plan:
    layers = (
        Layer(150.0, Spots([0, 1], [0, 0], [1, 1])),
        Layer(energy, Spots([0, x], [0, 0], [0, particles])),
    )
    first = Beam("ok", 0, 0, (0, 0, 0), layers[:1])
    return Plan("p", "proton", "generic_proton", (first, Beam("b", 0, 0, (0, 0, 0), layers, **beam)))  # type: ignore[arg-type]


def test_check_passes_a_good_plan() -> None:
    check_plan(plan_of(), machine("generic_proton"), phantom())
    # 8 mm past the skin, with a spot of 4.2 mm.
    check_plan(plan_of(x=88.0), machine("generic_proton"), phantom())


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        (plan_of(energy=300.0), "beams[1].layers[1].energy_mev_u"),
        (plan_of(energy=20.0), "beams[1].layers[1].energy_mev_u"),
        (plan_of(x=110.0), "beams[1].layers[1].spots[1]"),
        (plan_of(x=-500.0), "beams[1].layers[1].spots[1]"),
        (plan_of(range_shifter=RangeShifter("x", -1.0)), "beams[1].range_shifter.thickness_mm"),
        (plan_of(range_shifter=RangeShifter("x", 10.0, "wood")), "beams[1].range_shifter.material"),
        (plan_of(range_shifter=RangeShifter("x", 10.0, "water", 2500)), "beams[1].range_shifter.distance_mm"),
        (plan_of(range_shifter=RangeShifter("x", 10.0, "water", -5.0)), "beams[1].range_shifter.distance_mm"),
        (
            plan_of(range_shifter=RangeShifter("x", 10.0, "water", float("nan"))),
            "beams[1].range_shifter.distance_mm",
        ),
        (Plan("p", "carbon", "generic_carbon", plan_of().beams), "ion"),
        (Plan("p", "proton", "m", (Beam("b", 0, 0, (0, 0, 0), ()),)), "beams[0].layers"),
        (
            Plan("p", "proton", "m", (Beam("b", 0, 0, (0, 0, 0), (Layer(99, Spots([], [], [])),)),)),
            "beams[0].layers[0].spots",
        ),
        (
            Plan("p", "proton", "m", (Beam("b", 0, 0, (0, 0, 0), (Layer(99, Spots([0], [0], [0])),)),)),
            "beams[0].layers",
        ),
        (
            Plan("p", "proton", "m", (Beam("b", 0, 0, (500, 0, 0), (Layer(99, Spots([0], [0], [1])),)),)),
            "beams[0].layers[0].spots[0]",
        ),
    ],
)
def test_check_names_what_is_wrong(plan: Plan, field: str) -> None:
    with pytest.raises(InputError) as caught:
        check_plan(plan, machine("generic_proton"), phantom())
    assert caught.value.field == field
