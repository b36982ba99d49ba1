"""Foci in plans: files and back, the engines' optics, and foci that the machine has not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from isodose.errors import InputError
from isodose.machine.machine_file import machine
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.plan.dicom_ion_plan import read_ion_plan, write_ion_plan
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.plan.plan_check import check_plan
from isodose.plan.treatment_log_delivered import delivered_plans
from isodose.plan.treatment_log_simulated import simulated_log
from isodose.plan.yaml_plan import read_plan, write_plan
from isodose.transport.plan_source import plan_source
from isodose.transport.source import CORRELATION_X, DIVERGENCE_X, SIGMA_X, SPOT_ENERGY

BOX = Patient("box", Volume(Grid((0, 0, 0), (10, 10, 10), (4, 4, 4)), np.zeros((4, 4, 4))))
SPOT = Spots([0.0], [0.0], [1e6])


def plan(*layers: Layer, of: str = "generic_carbon") -> Plan:
    ion = machine(of).ion
    return Plan("foci", ion, of, (Beam("b", 0.0, 0.0, (0.0, 0.0, 0.0), layers),))


def foci(found: Plan) -> list[str | None]:
    return [layer.focus for layer in found.beams[0].layers]


def test_a_focus_is_wider() -> None:
    source = machine("generic_carbon")
    usual, wider, widest = (Layer(200.0, SPOT, focus=f).spot_sigma_mm(source)[0] for f in (None, "F2", "F3"))
    assert (wider / usual, widest / usual) == pytest.approx((1.4, 1.8), rel=5e-3)  # two decimals in the file
    assert Layer(200.0, SPOT, (5.0, 6.0), "F3").spot_sigma_mm(source) == (5.0, 6.0)


def test_yaml_round_trip(tmp_path: Path) -> None:
    write_plan(plan(Layer(200.0, SPOT, focus="F2"), Layer(210.0, SPOT)), tmp_path / "plan.yaml")
    assert foci(read_plan(tmp_path / "plan.yaml")) == ["F2", None]


def test_dicom_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "plan.dcm"
    written = plan(Layer(200.0, SPOT, focus="F2"), Layer(210.0, SPOT), Layer(220.0, SPOT, (3.0, 4.0)))
    uid = write_ion_plan(written, path, BOX)
    found = read_ion_plan(path)
    assert foci(found) == ["F2", None, None]
    assert found.beams[0].layers[2].sigma_mm == pytest.approx((3.0, 4.0))
    points = pydicom.dcmread(path).IonBeamSequence[0].IonControlPointSequence
    assert [p.ScanSpotTuneID for p in points[::2]] == ["F2", "default", "isodose measured"]
    sigma = machine("generic_carbon").at_focus("F2").spot_sigma_mm(200.0)[0]
    # full width at half maximum: exp(-(w/2)^2 / (2 sigma^2)) = 1/2
    half = points[0].ScanningSpotSize[0] / 2
    assert np.exp(-(half**2) / (2 * sigma**2)) == pytest.approx(0.5, rel=1e-6)
    assert write_ion_plan(plan(Layer(200.0, SPOT, focus="F3")), path, BOX) != uid


def test_unknown_foci_are_refused(tmp_path: Path) -> None:
    wrong = plan(Layer(200.0, SPOT), Layer(210.0, SPOT, focus="F9"))
    place = r"beams\[0\]\.layers\[1\]\.focus: found 'F9', expected .*'generic_carbon': F2, F3"
    with pytest.raises(InputError, match=place):
        check_plan(wrong, machine("generic_carbon"))
    with pytest.raises(InputError, match=place):
        write_ion_plan(wrong, tmp_path / "plan.dcm", BOX)
    with pytest.raises(InputError, match="of the layer's own"):
        write_ion_plan(plan(Layer(200.0, SPOT, (3.0, 3.0), "F2")), tmp_path / "plan.dcm", BOX)
    path = tmp_path / "plan.dcm"
    write_ion_plan(plan(Layer(200.0, SPOT)), path, BOX)
    dataset = pydicom.dcmread(path)
    for point in dataset.IonBeamSequence[0].IonControlPointSequence:
        point.ScanSpotTuneID = "F9"
    dataset.save_as(path)
    with pytest.raises(InputError, match=r"ScanSpotTuneID: found 'F9', expected .*F2, F3, default"):
        read_ion_plan(path)
    # To a machine with one focus the name of it says nothing.
    one = replace(machine("generic_carbon"), foci={})
    assert foci(read_ion_plan(path, one)) == [None]


def test_a_layer_keeps_its_focus_as_delivered() -> None:
    planned = plan(Layer(200.0, SPOT, focus="F2"))
    (delivered,) = delivered_plans(planned, simulated_log(planned, fractions=1))
    assert foci(delivered) == ["F2"]


def test_monte_carlo_source_takes_the_focus() -> None:
    source = machine("generic_carbon")
    layers = Layer(200.0, SPOT), Layer(200.0, SPOT, focus="F3")
    rows = plan_source(plan(*layers), source, BOX, np.zeros(3), lambda _: 0).spot
    wide = source.at_focus("F3").phase_space(200.0)
    assert (rows[1, SIGMA_X], rows[1, DIVERGENCE_X]) == (wide.sigma_mm[0], wide.divergence_rad[0])
    assert rows[0, SIGMA_X] == source.spot_sigma_mm(200.0)[0]


def test_monte_carlo_source_has_the_scattered_part() -> None:
    source = machine("proton_monitor")
    found = plan_source(plan(Layer(150.0, SPOT), of="proton_monitor"), source, BOX, np.zeros(3), lambda _: 0)
    assert found.cumulative.tolist() == pytest.approx([0.9, 1.0])
    pristine, scattered = found.spot
    assert pristine[SPOT_ENERGY] == 150.0
    # 0.2 mm of water at 5.44 MeV cm2/g (PSTAR, 150 MeV)
    assert scattered[SPOT_ENERGY] == pytest.approx(150.0 - 0.02 * 5.44, abs=0.002)
    angle = np.sqrt(scattered[DIVERGENCE_X] ** 2 - pristine[DIVERGENCE_X] ** 2)
    assert angle == pytest.approx(0.00312)
    assert scattered[SIGMA_X] == pytest.approx(np.hypot(pristine[SIGMA_X], 1100.0 * angle))
    assert scattered[CORRELATION_X] > 0.0
