"""``isodose dose --quantity cluster:F4``: from the command line to files and report."""

from __future__ import annotations

import numpy as np
import pytest

from isodose.cli import BAD_INPUT, main
from isodose.patient.dicom_dose import read_dose
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.plan.yaml_plan import write_plan
from isodose.report.run_folder import read_record


def run(arguments) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return int(end.value.code or 0)


@pytest.fixture
def plan_file(tmp_path):
    """Three carbon spots into the built-in head, in two fractions."""
    spots = Spots(np.array([-6.0, 0.0, 6.0]), np.zeros(3), np.full(3, 1e7))
    beam = Beam("left", 90.0, 0.0, (0.0, 0.0, 0.0), (Layer(170.0, spots),))
    path = tmp_path / "plan.yaml"
    write_plan(Plan("spots", "carbon", "generic_carbon", (beam,), fractions=2), path)
    return path


def test_cluster_dose_beside_dose(tmp_path, plan_file, made_up_clusters):
    made_up_clusters.save(tmp_path / "clusters.npz")
    out = tmp_path / "run"
    command = ["dose", "head", str(plan_file), "--engine", "pencilbeam", "--spacing", "6", "--threads", "1"]
    command += ["--quantity", "cluster:F4", "--clusters", str(tmp_path / "clusters.npz"), "--out", str(out)]
    assert run(command) == 0
    found = read_dose(out / "cluster_f4_total.dcm")
    assert (found.units, found.comment) == ("RELATIVE", "Cluster dose F4, 1/kg, 2 fractions")
    gray = read_dose(out / "dose_total.dcm").volume.values
    # Some clusters per keV of 6.2e15 in a kg and Gy.
    per_gray = found.volume.values.max() / gray.max()
    assert 1e15 < per_gray < 1e17
    assert (out / "figures" / "cluster_f4.png").exists()
    assert (out / "figures" / "cluster_profile.png").exists()
    record = read_record(out)
    assert record["options"]["quantities"] == ["dose", "cluster:F4"]
    assert record["provenance"]["cluster_database"]["version"] == "made up"


def test_what_cannot_be_is_refused(tmp_path, plan_file, capsys):
    command = ["dose", "head", str(plan_file), "--engine", "pencilbeam", "--out", str(tmp_path / "run")]
    assert run([*command, "--quantity", "cluster:F12"]) == BAD_INPUT
    assert "'cluster:F12'" in capsys.readouterr().err
    (tmp_path / "old.npz").write_bytes(b"no database")
    assert run([*command, "--quantity", "cluster:F4", "--clusters", str(tmp_path / "old.npz")]) == BAD_INPUT
    assert "isodose track database" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
