"""Makes a bundle of a diffusers folder."""

import filecmp
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from darkroom_export.bundle import Bundle, open_bundle, path_from, read_json
from darkroom_export.checks import check_bundle
from darkroom_export.errors import ExportError
from darkroom_export.layout import Layout, lay_out
from darkroom_export.manifest import Settings, check_settings, to_manifest, write_manifest
from darkroom_export.parts import Part, parts_of
from darkroom_export.session import describe, largest_difference, open_session
from darkroom_export.source import COMPONENTS, INDEX, TOKENIZER_FILES, Component, load_component, save_half
from darkroom_export.trace import trace
from darkroom_export.traits import Traits, read_traits
from darkroom_export.weights import read_stored_tensors

Say = Callable[[str], None]

# Inputs are drawn at random, and a difference that was seen once is to be seen again.
_SEED = 0

# What transformers and diffusers write of where a configuration comes from.
_NOTES = ("transformers_version", "dtype", "torch_dtype")

_NOT_IN_A_BUNDLE = ("safety_checker", "feature_extractor", "image_encoder")


@dataclass(frozen=True)
class Order:
    """What to make of what. `out` must not exist; a `base` lies beside it, because the manifest names it by `../`."""

    source: Path
    out: Path
    settings: Settings
    base: Bundle | None


def export_bundle(order: Order, say: Say) -> None:
    """Writes the bundle, or nothing: it is made in a folder beside `out` that is renamed at the end.

    Calls `say` with lines for a person. Raises an ExportError that says what to mend.
    """
    check_settings(order.settings)
    _check_place(order)
    layout = lay_out(order.source, order.base)
    order.out.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{order.out.name}-", dir=order.out.parent))
    try:
        _fill(_Work(order, layout, read_traits(layout), staged, say))
        staged.chmod(0o755)
        staged.rename(order.out)
    except BaseException:
        shutil.rmtree(staged)
        raise


def _check_place(order: Order) -> None:
    if order.out.exists():
        raise ExportError(f"{order.out} exists, and a bundle is never written over. Name another folder.")
    if order.base is None:
        return
    if order.base.folder.resolve().parent != order.out.resolve().parent:
        raise ExportError(f"{order.out} must lie beside its base {order.base.folder}, which it reaches by ../.")
    family = order.base.manifest["family"]
    if family != order.settings.family:
        raise ExportError(f"A variant of {order.base.folder} is of its family, {family}.")


@dataclass(frozen=True)
class _Work:
    """An order with the unfinished bundle that it is carried out in."""

    order: Order
    layout: Layout
    traits: Traits
    staged: Path
    say: Say


def _fill(work: _Work) -> None:
    parts: dict[str, Any] = {}
    weights = set()
    for component in COMPONENTS:
        own = component in work.layout.own
        parts |= _export(work, component) if own else _share(work, component)
        folder = work.staged / component.name if own else work.layout.folders[component.name]
        weights.add(path_from(work.staged, folder / component.weights))
    manifest = to_manifest(work.order.settings, work.traits, {"parts": parts, **_place_rest(work)})
    write_manifest(work.staged, manifest, weights)
    _check(work.staged)


def _check(staged: Path) -> None:
    for name, complaints in check_bundle(open_bundle(staged)).items():
        if complaints:
            raise ExportError(f"{name} is not what an engine takes: {complaints[0]}. {len(complaints)} in all.")


def _export(work: _Work, component: Component) -> dict[str, Any]:
    """The parts of one component, exported from its fp16 weights, as the manifest has them."""
    folder = work.staged / component.name
    save_half(work.layout.folders[component.name], component, folder)
    torch.manual_seed(_SEED)
    parts = parts_of(component, load_component(folder, component), work.traits)
    return {part.name: _export_part(work, component, part) for part in parts}


def _export_part(work: _Work, component: Component, part: Part) -> dict[str, Any]:
    started = time.monotonic()
    graph = work.staged / component.name / f"{part.name}.onnx"
    base = work.order.base
    if base and _is_alike(base, component, graph.parent):
        shutil.copyfile(base.graph(part.name), graph)
    else:
        work.say(f"{part.name}: tracing")
        trace(part, graph, graph.with_name(component.weights))
        _check_family(work, part.name, graph)
    session = open_session(graph)
    difference = largest_difference(session, part)
    work.say(
        f"{part.name}: {graph.stat().st_size / 1e6:.2f} MB of graph, at most {difference:.1e} from torch, "
        f"{time.monotonic() - started:.0f} s"
    )
    return describe(session, work.order.settings.max_batch, path_from(work.staged, graph))


def _is_alike(base: Bundle, component: Component, folder: Path) -> bool:
    """Whether the base has the same architecture, with every tensor in the same place.

    Then its graph is this one's, for a graph depends on nothing else but the versions of torch and onnx. To trace it
    again takes a minute, and answers are held against torch's all the same.
    """
    shared = base.graph(component.parts[0]).parent
    ours, theirs = (read_stored_tensors(place / component.weights) for place in (folder, shared))
    return ours == theirs and _architecture(folder) == _architecture(shared)


def _architecture(folder: Path) -> dict[str, Any]:
    """The configuration without what the libraries note about themselves."""
    config = read_json(folder / "config.json")
    return {key: value for key, value in config.items() if not key.startswith("_") and key not in _NOTES}


def _check_family(work: _Work, name: str, graph: Path) -> None:
    """A family is a set of graphs, so a variant has those of its base and brings weights alone."""
    base = work.order.base
    if base and not filecmp.cmp(graph, base.graph(name), shallow=False):
        raise ExportError(
            f"{name} is not the graph of {base.folder}: a variant of its family has the same. "
            "The architecture differs, or the base was exported with other versions of torch and onnx."
        )


def _share(work: _Work, component: Component) -> dict[str, Any]:
    base = work.order.base
    if base is None:
        raise ExportError(f"{work.order.source} has no {component.name}.")
    parts = base.manifest["parts"]
    return {name: {**parts[name], "file": path_from(work.staged, base.graph(name))} for name in component.parts}


def _place_rest(work: _Work) -> dict[str, str]:
    """Copies what is no network, unless it is the base's. Returns the manifest's keys that name it."""
    source, staged, base = work.order.source, work.staged, work.order.base
    tokenizer, scheduler = work.layout.tokenizer, work.layout.scheduler
    if tokenizer.is_relative_to(source):
        tokenizer = staged / tokenizer.name
        tokenizer.mkdir()
        for name in TOKENIZER_FILES:
            shutil.copyfile(work.layout.tokenizer / name, tokenizer / name)
    if scheduler.is_relative_to(source):
        scheduler = staged / scheduler.parent.name / scheduler.name
        scheduler.parent.mkdir()
        shutil.copyfile(work.layout.scheduler, scheduler)
    if base is None:
        _write_index(source / INDEX, staged / INDEX)
    shared = {"base": base.manifest["name"]} if base else {}
    return shared | {
        "tokenizer": path_from(staged, tokenizer),
        "schedulerConfig": path_from(staged, scheduler),
    }


def _write_index(source: Path, target: Path) -> None:
    """The source's pipeline without what a bundle does not have, so that diffusers opens it as it stands."""
    index = read_json(source)
    absent = {name: [None, None] for name in _NOT_IN_A_BUNDLE if name in index}
    text = json.dumps({**index, **absent, "requires_safety_checker": False}, indent=2)
    target.write_text(text, "utf-8")
