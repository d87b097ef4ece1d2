"""A bundle on disk. Needs no more than Python has."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom_export.errors import ExportError

CONTRACT = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Bundle:
    """A folder with a manifest. What it shares with another one is named there by `../`."""

    folder: Path
    manifest: dict[str, Any]

    def path(self, name: str) -> Path:
        """A file or folder as the manifest names it."""
        return self.folder / name

    def graph(self, part: str) -> Path:
        """The graph of a part."""
        return self.path(self.manifest["parts"][part]["file"])

    def weights(self, part: str) -> Path:
        """The one safetensors file beside the graph. Raises an ExportError when there is none, or more than one."""
        found = sorted(self.graph(part).parent.glob("*.safetensors"))
        if len(found) != 1:
            raise ExportError(f"{self.graph(part).parent} has {len(found)} safetensors files, one expected.")
        return found[0]


def open_bundle(folder: Path) -> Bundle:
    """Raises an ExportError when the folder has no manifest of this contract."""
    manifest = read_json(folder / MANIFEST)
    if manifest.get("contract") != CONTRACT:
        raise ExportError(
            f"{folder / MANIFEST} is of contract {manifest.get('contract')}. This exporter's is {CONTRACT}."
        )
    return Bundle(folder, manifest)


def path_from(bundle: Path, file: Path) -> str:
    """`file` as a manifest in `bundle` names it: relative, with slashes."""
    return Path(os.path.relpath(file, bundle)).as_posix()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises an ExportError when the file is missing or is something else."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise ExportError(f"{path} is not a JSON object.")
    return value
