"""What ``import isodose`` costs, and that its public names lead somewhere."""

from __future__ import annotations

import subprocess
import sys

import pytest

import isodose

HEAVY = (
    "numpy",
    "numba",
    "scipy",
    "SimpleITK",
    "matplotlib",
    "pydicom",
    "pydantic",
    "typer",
    "jinja2",
    "torch",
)


def loaded_after(statement: str) -> set[str]:
    """Names of the modules that a fresh interpreter holds after a statement."""
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(out.stdout.split())


# Seconds depend on the machine and its load; what is imported does not. None of these means milliseconds.
def test_import_loads_nothing_heavy():
    assert not loaded_after("import isodose") & set(HEAVY)


def test_help_does_not_load_numerics():
    loaded = loaded_after("import isodose.cli")
    assert not loaded & {"numpy", "numba", "scipy", "SimpleITK", "matplotlib", "pydicom", "torch"}


@pytest.mark.parametrize("name", [n for n in isodose.__all__ if n != "__version__"])
def test_public_names_exist(name):
    assert callable(getattr(isodose, name))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'dose_of_truth'"):
        _ = isodose.dose_of_truth
