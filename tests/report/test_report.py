"""The report is one file that needs nothing else and holds the numbers of the dose."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from matplotlib.image import imread

from isodose.evaluate.comparison import compare
from isodose.evaluate.dvh import dvh
from isodose.patient.volume import Volume
from isodose.report.comparison import write_comparison
from isodose.report.html import write_report


@pytest.fixture(scope="module")
def report(tmp_path_factory, head, two_fields, two_field_dose):
    return write_report(tmp_path_factory.mktemp("report"), head, two_fields, two_field_dose)


def test_no_external_resource(report):
    text = report.read_text(encoding="utf-8")
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", text)
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)


def test_figures_are_pictures_beside_it(report):
    names = {file.stem for file in (report.parent / "figures").iterdir()}
    assert names == {"dose", "dvh", "profiles", "letd", "uncertainty", "spectra_track_length", "spots"}
    for file in (report.parent / "figures").iterdir():
        picture = imread(file)
        assert picture.shape[1] > 1000
        assert picture[..., :3].std() > 0.05, f"{file.name} is blank"


def test_numbers_of_the_dose_are_in_it(report, head, two_field_dose):
    text = report.read_text(encoding="utf-8")
    histogram = dvh(two_field_dose.volume(), head.structures["ptv"])
    assert f"<td>{histogram.d(50):.3f}</td>" in text
    assert "synthetic head, two fields" in text
    assert "<td>G270</td>" in text
    assert "This dose is partial" not in text


def test_partial_dose_says_so_quantities_may_lack_and_names_are_escaped(
    tmp_path, head, two_fields, two_field_dose
):
    dose = replace(two_field_dose, uncertainty={}, spectra={}, provenance={"partial": True})
    page = write_report(tmp_path, replace(head, name="<script>"), two_fields, dose)
    text = page.read_text(encoding="utf-8")
    assert "This dose is partial" in text
    assert "<script>" not in text
    assert not (tmp_path / "figures" / "uncertainty.png").exists()


def test_comparison_with_and_without_patient(tmp_path, head, two_field_dose):
    reference = two_field_dose.volume()
    result = compare(reference, Volume(reference.grid, 1.01 * reference.values))
    both = write_comparison(tmp_path / "both", result, head, ("plan", "check"))
    assert f"{result.gammas[0].pass_rate:.2f}" in both.read_text(encoding="utf-8")
    assert "check against plan" in both.read_text(encoding="utf-8")
    assert (tmp_path / "both" / "figures" / "dvh.png").exists()
    alone = write_comparison(tmp_path / "alone", result)
    assert "Dose-volume" not in alone.read_text(encoding="utf-8")
