"""Icons to pictures: 128x128, RGBA, straight alpha."""

import io
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from pico_train.concepts import read_concepts
from pico_train.errors import TrainError
from pico_train.files import write_whole
from pico_train.progress import show_progress

SIZE = 128

# Style in captions -> npm package below @iconify-json.
SETS = {"flat": "fluent-emoji-flat", "noto": "noto", "glossy": "fluent-emoji"}

# Besides the concepts, these teach the VAE what drawings look like. Flags, people and symbols do not.
_CATEGORIES = (
    "Animals & Nature",
    "Food & Drink",
    "Activities",
    "Travel & Places",
    "Objects",
    "Smileys & Emotion",
)


def render_sets(packages: Path, out: Path, styles: tuple[str, ...] = tuple(SETS)) -> None:
    """Renders each style that `out` does not have yet: `STYLE.rgba`, uint8 [N,128,128,4], and `STYLE.json`, the names.

    An icon that a set lacks, or that the renderer gives up on, is left out and told. Raises TrainError when the
    packages are not there.
    """
    # Half a minute before the first picture is written.
    out.mkdir(parents=True, exist_ok=True)
    for style in styles:
        if (out / f"{style}.json").exists():
            continue
        pictures = dict(_render_set(packages, style))
        missing = [concept.icon for concept in read_concepts("all") if concept.icon not in pictures]
        stacked = np.stack(list(pictures.values()))
        write_whole(out / f"{style}.rgba", stacked.tofile)
        # Last, because it says that the other file is whole.
        index = json.dumps(list(pictures)).encode()
        write_whole(out / f"{style}.json", partial(_write_bytes, index))
        print(f"{style}: {len(pictures)} icons; concepts without one: {' '.join(missing) or 'none'}")


def _render_set(packages: Path, style: str) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    icons = _read_icons(packages, SETS[style])
    names = [name for name in wanted_names(packages) if name in icons]
    for name in show_progress(names, desc=style, unit="icon"):
        picture = _render_apart(icons[name])
        if picture is not None:
            yield name, picture


def wanted_names(packages: Path) -> list[str]:
    """Returns the icons that the VAE is trained on: the concepts, and everything of the categories."""
    categories = _read_json(packages, f"{SETS['flat']}/metadata.json")["categories"]
    wanted = [concept.icon for concept in read_concepts("all")]
    wanted += [name for category in _CATEGORIES for name in categories[category]]
    return list(dict.fromkeys(wanted))


def _read_icons(packages: Path, package: str) -> dict[str, str]:
    """Returns name -> SVG document."""
    data = _read_json(packages, f"{package}/icons.json")
    return {name: _document(icon, data) for name, icon in data["icons"].items()}


def _document(icon: dict[str, Any], data: dict[str, Any]) -> str:
    width, height = (icon.get(side) or data.get(side) or 16 for side in ("width", "height"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}" width="{SIZE}" height="{SIZE}">{icon["body"]}</svg>'
    )


def _read_json(packages: Path, name: str) -> Any:
    path = packages / "@iconify-json" / name
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise TrainError(f"There is no {path}: run `npm ci` in the folder of package.json first.") from None


def _write_bytes(content: bytes, path: Path) -> None:
    path.write_bytes(content)


@cache
def _renderer() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, initializer=_follow_parent)


def _follow_parent() -> None:
    """Leaves Ctrl-C, which reaches the whole process group, to the parent, and ends when that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _render_apart(svg: str) -> NDArray[np.uint8] | None:
    """Renders in another process, because a few drawings abort the process that renders them."""
    try:
        return _renderer().submit(_render, svg).result()
    except (BrokenProcessPool, ValueError):
        _renderer.cache_clear()
        return None


def _render(svg: str) -> NDArray[np.uint8] | None:
    png = resvg_py.svg_to_bytes(svg_string=svg, width=SIZE, height=SIZE, skip_system_fonts=True)
    picture = np.array(Image.open(io.BytesIO(png)).convert("RGBA"))
    return picture if picture.shape == (SIZE, SIZE, 4) else None
