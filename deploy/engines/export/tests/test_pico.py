"""The committed bundles are what the exporter makes of their own folders, byte for byte."""

import filecmp
import shutil
from pathlib import Path

from darkroom_export.cli import main

MODELS = Path(__file__).parents[3] / "models"
LICENCE = ["--licence", "MIT AND Apache-2.0"]
# Written by hand, as is all that trains it.
NOT_EXPORTED = {"MODEL_CARD.md", "NOTICE.md"}
TRAINING = "train/"


def files_of(bundle):
    """Every file below the folder that the exporter writes, by its path in the bundle."""
    files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    return sorted(name for name in files - NOT_EXPORTED if not name.startswith(TRAINING))


def differing(bundle, committed):
    return [name for name in files_of(committed) if not filecmp.cmp(bundle / name, committed / name, shallow=False)]


def test_pico_comes_out_byte_for_byte(tmp_path):
    assert main(["export", str(MODELS / "pico"), str(tmp_path / "pico"), "--family", "PICO", *LICENCE]) == 0

    assert files_of(tmp_path / "pico") == files_of(MODELS / "pico")
    assert differing(tmp_path / "pico", MODELS / "pico") == []


def test_pico_noto_comes_out_byte_for_byte_as_a_variant_that_brings_a_unet_alone(tmp_path):
    shutil.copytree(MODELS / "pico", tmp_path / "pico", ignore=shutil.ignore_patterns("train"))
    base = ["--base", str(tmp_path / "pico")]
    assert main(["export", str(MODELS / "pico-noto"), str(tmp_path / "pico-noto"), *base, *LICENCE]) == 0

    assert files_of(tmp_path / "pico-noto") == files_of(MODELS / "pico-noto")
    assert differing(tmp_path / "pico-noto", MODELS / "pico-noto") == []
