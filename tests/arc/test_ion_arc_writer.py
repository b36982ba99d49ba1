from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread

from isodose.arc.arc_plan import arc_plan, layer_columns
from isodose.arc.control_points import arc
from isodose.arc.ion_arc_writer import arcs_of, write_ion_arc
from isodose.arc.spot_counts import SpotLattice, count_spots
from isodose.errors import InputError
from isodose.machine.machine_file import machine
from isodose.plan.load import load_plan
from isodose.plan.range_shifter import in_beam

PROTON = machine("generic_proton")
RS40 = in_beam(PROTON.shifter("RS40"))


@pytest.fixture(scope="module")
def counts(ball):
    first = arc("1", 300.0, 420.0, 30.0)
    return count_spots(ball, "CTV", PROTON, [first, first.reversed("2")], (), SpotLattice(spacing_mm=12.0))


def middle(counts, layers=2):
    chosen = np.zeros(counts.target.shape, dtype=bool)
    for g, row in enumerate(counts.target):
        chosen[g, np.argsort(-row, kind="stable")[:layers]] = True
    return chosen


def test_plan_has_a_beam_per_control_point_and_falling_layers(counts):
    chosen = middle(counts)
    plan = arc_plan(counts, PROTON, chosen)
    assert [b.gantry_angle_deg for b in plan.beams] == [300, 330, 0, 30, 60, 60, 30, 0, 330, 300]
    for g, beam in enumerate(plan.beams):
        energies = [layer.energy_mev_u for layer in beam.layers]
        assert energies == sorted(energies, reverse=True)
        assert set(energies) == set(counts.energies_mev_u[chosen[g]])
    point, energy = layer_columns(counts, chosen)
    at = [
        (g, counts.energies_mev_u.tolist().index(la.energy_mev_u))
        for g, b in enumerate(plan.beams)
        for la in b.layers
        for _ in range(len(la.spots))
    ]
    assert list(zip(point, energy, strict=True)) == at


def test_layers_without_spots_are_refused(counts):
    chosen = np.zeros(counts.target.shape, dtype=bool)
    with pytest.raises(InputError, match="no layer"):
        arc_plan(counts, PROTON, chosen)
    chosen[0, np.flatnonzero(counts.target[0] == 0)[0]] = True
    with pytest.raises(InputError, match="no spot there"):
        arc_plan(counts, PROTON, chosen)


def test_written_arcs_hold_every_layer_at_its_angle(counts, ball, tmp_path):
    plan = arc_plan(counts, PROTON, middle(counts))
    path = tmp_path / "arc.dcm"
    uid = write_ion_arc(plan, path, ball)
    dataset = dcmread(path)
    assert dataset.SOPInstanceUID == uid
    assert arcs_of(plan) == ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9))
    assert [b.BeamType for b in dataset.IonBeamSequence] == ["DYNAMIC", "DYNAMIC"]
    for item, referenced, arc_beams in zip(
        dataset.IonBeamSequence,
        dataset.FractionGroupSequence[0].ReferencedBeamSequence,
        arcs_of(plan),
        strict=True,
    ):
        points = item.IonControlPointSequence
        beams = [plan.beams[i] for i in arc_beams]
        assert item.NumberOfControlPoints == len(points) == 2 * sum(len(b.layers) for b in beams)
        assert [p.ControlPointIndex for p in points] == list(range(len(points)))
        written = [(float(p.GantryAngle), float(p.NominalBeamEnergy)) for p in points[::2]]
        expected = [(b.gantry_angle_deg, la.energy_mev_u) for b in beams for la in b.layers]
        np.testing.assert_allclose(written, expected, rtol=1e-9)
        total = sum(b.particles for b in beams)
        assert float(item.FinalCumulativeMetersetWeight) == pytest.approx(total)
        assert float(referenced.BeamMeterset) == pytest.approx(total)
        cumulative = [float(p.CumulativeMetersetWeight) for p in points]
        given = [float(np.sum(p.ScanSpotMetersetWeights)) for p in points]
        assert cumulative == pytest.approx([0.0, *np.cumsum(given)[:-1]])
        # The gantry turns after the last point of each control point, the right way round.
        turning = {i for i, p in enumerate(points) if p.GantryRotationDirection != "NONE"}
        ends = np.cumsum([2 * len(b.layers) for b in beams]) - 1
        assert turning == set(ends[:-1].tolist())
        sense = "CW" if item.BeamNumber == 1 else "CC"
        assert {points[i].GantryRotationDirection for i in turning} == {sense}
        assert all("IsocenterPosition" not in p for p in points[1:])


def test_arcs_are_read_back_as_their_control_points(counts, ball, tmp_path):
    plan = arc_plan(counts, PROTON, middle(counts), particles_per_spot=3e6, fractions=5, target="CTV")
    shifted = tuple(replace(beam, couch_angle_deg=20.0, range_shifter=RS40) for beam in plan.beams[:5])
    plan = replace(plan, beams=(*shifted, *plan.beams[5:]))
    write_ion_arc(plan, tmp_path / "arc.dcm", ball)
    read = load_plan(tmp_path / "arc.dcm")
    assert (read.ion, read.machine, read.fractions) == (plan.ion, plan.machine, plan.fractions)
    assert len(read.beams) == len(plan.beams) == 10
    assert len({beam.name for beam in read.beams}) == 10
    for beam, expected in zip(read.beams, plan.beams, strict=True):
        assert beam.gantry_angle_deg == pytest.approx(expected.gantry_angle_deg)
        assert beam.couch_angle_deg == expected.couch_angle_deg
        assert beam.isocentre_mm == pytest.approx(expected.isocentre_mm)
        assert beam.range_shifter == expected.range_shifter
        for layer, wanted in zip(beam.layers, expected.layers, strict=True):
            assert layer.energy_mev_u == pytest.approx(wanted.energy_mev_u, rel=1e-12)
            # Spots are 32-bit floats in DICOM.
            np.testing.assert_allclose(layer.spots.x_mm, wanted.spots.x_mm, rtol=1e-6)
            np.testing.assert_allclose(layer.spots.y_mm, wanted.spots.y_mm, rtol=1e-6)
            np.testing.assert_allclose(layer.spots.particles, wanted.spots.particles, rtol=1e-6)


@pytest.mark.parametrize(
    ("number", "keyword", "value", "complaint"),
    [
        (2, "GantryAngle", 310.0, "stands while it irradiates"),
        (3, "GantryRotationDirection", "NONE", "says how"),
        (4, "PatientSupportAngle", 5.0, "does not move"),
    ],
)
def test_motion_with_beam_on_and_moving_tables_are_refused(
    counts, ball, tmp_path, number, keyword, value, complaint
):
    write_ion_arc(arc_plan(counts, PROTON, middle(counts)), tmp_path / "arc.dcm", ball)
    dataset = dcmread(tmp_path / "arc.dcm")
    points = dataset.IonBeamSequence[0].IonControlPointSequence
    if keyword == "GantryAngle":  # the gantry moves on within a layer
        points[number].GantryRotationDirection = "CW"
        for point in points[number + 1 :]:
            point.GantryAngle = value
    else:
        setattr(points[number], keyword, value)
    dataset.save_as(tmp_path / "moved.dcm")
    with pytest.raises(InputError, match=complaint):
        load_plan(tmp_path / "moved.dcm")
