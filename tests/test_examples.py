"""The examples run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_example(script, tmp_path):
    out = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert out.stdout.strip()
    if script.stem == "bragg_peak":
        # 150 MeV protons: 158 mm in PSTAR; voxels of 2 mm and a spread of energies
        assert float(out.stdout.split()[1]) == pytest.approx(158.0, abs=1.5)
