"""Layers with a spot size of their own, from plans to files and back."""

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
from isodose.plan.spot_size import with_spot_size
from isodose.plan.yaml_plan import read_plan, write_plan
from isodose.transport.plan_source import plan_source

BOX = Patient("box", Volume(Grid((0, 0, 0), (10, 10, 10), (4, 4, 4)), np.zeros((4, 4, 4))))
SPOT = Spots([0.0], [0.0], [1e6])


def plan(*layers: Layer) -> Plan:
    return Plan("sizes", "proton", "generic_proton", (Beam("b", 0.0, 0.0, (0.0, 0.0, 0.0), layers),))


def test_factor_is_of_the_machines_size_or_the_layers_own() -> None:
    changed = with_spot_size(plan(Layer(150.0, SPOT), Layer(120.0, SPOT, (3.0, 4.0))), 1.1)
    source = machine("generic_proton")
    first, second = changed.beams[0].layers
    assert first.spot_sigma_mm(source) == pytest.approx(np.multiply(1.1, source.spot_sigma_mm(150.0)))
    assert second.spot_sigma_mm(source) == pytest.approx((3.3, 4.4))


@pytest.mark.parametrize("factor", [0.0, -1.0, np.nan, np.inf])
def test_factor_must_be_positive(factor: float) -> None:
    with pytest.raises(InputError, match="factor"):
        with_spot_size(plan(Layer(150.0, SPOT)), factor)


@pytest.mark.parametrize("size", [(0.0, 3.0), (3.0,), (3.0, np.nan)])
def test_size_must_be_two_positive_numbers(size: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="two positive numbers"):
        Layer(150.0, SPOT, size)  # type: ignore[arg-type]


def test_yaml_round_trip(tmp_path: Path) -> None:
    written = plan(Layer(150.0, SPOT, (3.1, 4.2)), Layer(120.0, SPOT))
    write_plan(written, tmp_path / "plan.yaml")
    sizes = [layer.sigma_mm for layer in read_plan(tmp_path / "plan.yaml").beams[0].layers]
    assert sizes == [(3.1, 4.2), None]


def test_dicom_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "plan.dcm"
    with_own = write_ion_plan(plan(Layer(150.0, SPOT, (3.1, 4.2)), Layer(120.0, SPOT)), path, BOX)
    first, second = read_ion_plan(path).beams[0].layers
    assert first.sigma_mm == pytest.approx((3.1, 4.2), rel=2e-7)  # 32-bit floats
    assert second.sigma_mm is None
    # full width at half maximum: exp(-(w/2)^2 / (2 sigma^2)) = 1/2
    width = pydicom.dcmread(path).IonBeamSequence[0].IonControlPointSequence[0].ScanningSpotSize
    assert np.exp(-((width[0] / 2) ** 2) / (2 * 3.1**2)) == pytest.approx(0.5, rel=1e-6)
    assert write_ion_plan(plan(Layer(150.0, SPOT), Layer(120.0, SPOT)), path, BOX) != with_own


def test_nominal_sizes_of_other_systems_do_not_replace_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "plan.dcm"
    write_ion_plan(plan(Layer(150.0, SPOT)), path, BOX)
    dataset = pydicom.dcmread(path)
    for point in dataset.IonBeamSequence[0].IonControlPointSequence:
        point.ScanSpotTuneID, point.ScanningSpotSize = "4.0", [20.0, 20.0]
    dataset.save_as(path)
    assert read_ion_plan(path).beams[0].layers[0].sigma_mm is None


def test_monte_carlo_source_takes_the_layers_size() -> None:
    source = machine("generic_proton")
    layers = Layer(150.0, SPOT), Layer(150.0, SPOT, (3.1, 4.2))
    rows = plan_source(plan(*layers), source, BOX, np.zeros(3), lambda _: 0).spot
    changed = np.flatnonzero(rows[0] != rows[1])
    assert rows[1, changed].tolist() == [3.1, 4.2]
    assert rows[0, changed].tolist() == list(source.spot_sigma_mm(150.0))
    assert replace(layers[1], sigma_mm=None).spot_sigma_mm(source) == source.spot_sigma_mm(150.0)
