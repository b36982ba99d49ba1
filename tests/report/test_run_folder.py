"""What a run leaves behind, and what it does not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pydicom
import pytest

from isodose.dose.quantity import Quantity
from isodose.errors import InputError, OutputError
from isodose.patient.dicom_dose import read_dose
from isodose.patient.images import read_image
from isodose.report import run_folder

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_results_read_back(tmp_path, head, two_fields, two_field_dose):
    names = run_folder.write_results(tmp_path, head, two_fields, two_field_dose, ("dicom", "nifti"))
    assert set(names) == {path.name for path in tmp_path.iterdir()}
    values = two_field_dose.values[Quantity.DOSE]
    # an RT Dose holds 32 bits, NIfTI float32
    np.testing.assert_allclose(read_dose(tmp_path / "dose.dcm").volume.values, values, atol=1e-6)
    np.testing.assert_array_equal(read_image(tmp_path / "dose.nii.gz").values, values)
    assert read_dose(tmp_path / "dose_uncertainty.dcm").dose_type == "ERROR"
    letd = read_dose(tmp_path / "letd.dcm")
    assert letd.units == "RELATIVE"
    assert "keV/um" in letd.comment
    with np.load(tmp_path / "track_length.npz") as spectra:
        assert spectra["classes"].tolist() == ["p", "C12"]
        assert tuple(spectra["shape"]) == two_field_dose.grid.shape


def test_several_fractions_are_written_as_a_total(tmp_path, head, two_fields, two_field_dose):
    run_folder.write_results(tmp_path, head, replace(two_fields, fractions=10), two_field_dose)
    total = read_dose(tmp_path / "dose_total.dcm").volume.values
    np.testing.assert_allclose(total, 10 * two_field_dose.values[Quantity.DOSE], atol=1e-5)
    assert pydicom.dcmread(tmp_path / "dose_total.dcm").DoseSummationType == "PLAN"
    assert not (tmp_path / "dose.dcm").exists()
    # an LET does not add up over fractions
    letd = read_dose(tmp_path / "letd.dcm").volume.values
    np.testing.assert_allclose(letd, two_field_dose.values[Quantity.LETD], atol=1e-4)


def test_cluster_dose_has_its_unit_in_the_comment(tmp_path, head, two_fields, two_field_dose):
    of_all = 2.5e16 * two_field_dose.values[Quantity.DOSE]
    dose = replace(two_field_dose, values={**two_field_dose.values, Quantity.CLUSTER_F4: of_all})
    names = run_folder.write_results(tmp_path, head, replace(two_fields, fractions=3), dose)
    assert "cluster_f4_total.dcm" in names
    read = read_dose(tmp_path / "cluster_f4_total.dcm")
    # DICOM has no unit for it, and it is no dose in Gy
    assert read.units == "RELATIVE"
    assert read.dose_type == "PHYSICAL"
    assert read.comment == "Cluster dose F4, 1/kg, 3 fractions"
    np.testing.assert_allclose(read.volume.values, 3.0 * of_all, atol=1e-6 * of_all.max())


def test_record_names_files_and_removes_those_of_an_earlier_run(tmp_path):
    (tmp_path / "letd.dcm").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    run_folder.write_record(tmp_path, "dose", {}, {}, NOW, ["letd.dcm"], {"seed": np.int64(3)})
    run_folder.write_record(tmp_path, "dose", {"plan": "a"}, {}, NOW, ["dose.dcm"], {"partial": True})
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["partial"] is True
    assert record["inputs"] == {"plan": "a"}
    assert record["started"] == "2026-01-02T00:00:00+00:00"
    assert not (tmp_path / "letd.dcm").exists()
    assert (tmp_path / "notes.txt").exists()


def test_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").write_text("x")
    with pytest.raises(InputError, match="other files"), run_folder.opened(tmp_path):
        pass
    with pytest.raises(OutputError), run_folder.opened(tmp_path / "holiday.jpg" / "deeper"):
        pass


def test_nothing_to_resume_is_refused_and_a_failed_run_leaves_no_folder(tmp_path):
    with pytest.raises(InputError, match="--resume"), run_folder.opened(tmp_path / "new", resume=True):
        pass
    with pytest.raises(RuntimeError), run_folder.opened(tmp_path / "new"):
        raise RuntimeError
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_damaged_record_names_the_file(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match=r"run\.json"):
        run_folder.read_record(tmp_path)
