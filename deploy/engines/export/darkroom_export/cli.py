"""The command line."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom_export.bundle import Bundle, open_bundle
from darkroom_export.errors import ExportError

_DESCRIPTION = "Makes bundles for Darkroom: a diffusers folder with weightless ONNX graphs and a manifest."


if TYPE_CHECKING:
    from darkroom_export.engines import Build

    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Returns the exit status: 0, or 1 with the reason on stderr."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except ExportError as error:
        print(f"darkroom_export: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("darkroom_export", description=_DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_export(commands)
    _add_check(commands)
    _add_autocast(commands)
    _add_compile(commands)
    return parser


def _add_export(commands: _Commands) -> None:
    command = commands.add_parser(
        "export",
        help="make a bundle of a diffusers folder",
        description="Exports SOURCE, a diffusers folder of a StableDiffusionPipeline in safetensors, to the new "
        "folder OUT. With --base, what SOURCE lacks is shared with that bundle, and its graphs must be the same.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    command.add_argument("source", type=Path, metavar="SOURCE", help="the diffusers folder")
    command.add_argument("out", type=Path, metavar="OUT", help="the bundle's folder, which must not exist")
    command.add_argument("--licence", required=True, help="SPDX expression for the weights")
    command.add_argument("--name", help="the bundle's name; that of OUT when it is not given")
    command.add_argument("--version", type=int, default=1, help="its version: other weights are a new one")
    command.add_argument("--base", type=Path, help="the bundle beside OUT that this is a variant of")
    command.add_argument("--family", help="the set of graphs; the base's when it is not given")
    command.add_argument("--max-batch", type=int, default=8, help="rows of one call")
    command.add_argument("--scheduler", default="DPM_SOLVER_MULTISTEP", help="default of a job")
    command.add_argument("--sigma-schedule", default="KARRAS", help="default of a job")
    command.add_argument("--steps", type=int, default=25, help="default of a job")
    command.add_argument("--guidance-scale", type=float, default=4.0, help="default of a job")
    command.set_defaults(run=_export)


def _add_check(commands: _Commands) -> None:
    command = commands.add_parser(
        "check",
        help="check the graphs of bundles",
        description="Checks every graph of each BUNDLE: that onnx takes it, that it has nothing that TensorRT refuses, "
        "that its inputs and outputs are the manifest's, and that no parameter is left inside. Needs no torch.",
    )
    command.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE", help="a bundle's folder")
    command.set_defaults(run=_check)


def _add_autocast(commands: _Commands) -> None:
    command = commands.add_parser(
        "autocast",
        help="write the graphs of a bundle with products in fp16",
        description="Writes the graphs of BUNDLE below the new folder OUT with their products in fp16, each beside a "
        "copy of its weights, for an engine in mixed precision. Their inputs and outputs are the bundle's. Needs onnx "
        "and numpy alone.",
    )
    command.add_argument("bundle", type=Path, metavar="BUNDLE", help="the bundle's folder")
    command.add_argument("out", type=Path, metavar="OUT", help="the folder to write, which must not exist")
    command.add_argument("--part", nargs="+", help="these parts alone")
    command.set_defaults(run=_autocast)


def _add_compile(commands: _Commands) -> None:
    command = commands.add_parser(
        "compile",
        help="let TensorRT-RTX build the graphs of a bundle",
        description="Builds every graph of BUNDLE with NVIDIA's TensorRT-RTX for each compute capability, ahead of "
        "time and without a GPU, and throws the engines away. Needs what requirements-tensorrt.txt lists.",
    )
    command.add_argument("bundle", type=Path, metavar="BUNDLE", help="the bundle's folder")
    command.add_argument("--part", nargs="+", help="these parts alone")
    command.add_argument("--sm", nargs="+", help="compute capabilities, such as 8.9")
    command.add_argument(
        "--precision",
        choices=("fp32", "fp16"),
        default="fp32",
        help="of the products; all else stays fp32. Turing (7.5) needs fp16 (default: %(default)s)",
    )
    command.set_defaults(run=_compile)


def _export(options: argparse.Namespace) -> int:
    # torch takes seconds to import, and --help must not wait for it.
    from darkroom_export.export import Order, export_bundle
    from darkroom_export.manifest import Settings

    # Resolved, because the way from one to the other is written into the manifest.
    out = options.out.resolve()
    base = open_bundle(options.base.resolve()) if options.base else None
    family = options.family or (base and base.manifest["family"])
    if not family:
        raise ExportError("Name the --family: the set of graphs that this bundle founds.")
    settings = Settings(
        name=options.name or out.name,
        version=options.version,
        family=family,
        licence=options.licence,
        max_batch=options.max_batch,
        scheduler=options.scheduler,
        sigma_schedule=options.sigma_schedule,
        steps=options.steps,
        guidance_scale=options.guidance_scale,
    )
    export_bundle(Order(options.source, out, settings, base), _say)
    print(options.out)
    return 0


def _check(options: argparse.Namespace) -> int:
    from darkroom_export.checks import check_bundle

    broken = 0
    for folder in options.bundles:
        for name, complaints in check_bundle(open_bundle(folder)).items():
            broken += len(complaints)
            print(f"{folder} {name}: {'; '.join(complaints) or 'sound'}")
    return 1 if broken else 0


def _autocast(options: argparse.Namespace) -> int:
    from darkroom_export.autocast import autocast_bundle

    bundle = open_bundle(options.bundle)
    if options.out.exists():
        raise ExportError(f"{options.out} exists. Name another folder.")
    for graph in autocast_bundle(bundle, _parts_of(bundle, options), options.out).values():
        print(graph)
    return 0


def _compile(options: argparse.Namespace) -> int:
    from darkroom_export.engines import CAPABILITIES, build_engines, profile_of

    bundle = open_bundle(options.bundle)
    capabilities = tuple(options.sm or CAPABILITIES[options.precision])
    refused = 0
    with tempfile.TemporaryDirectory() as folder:
        for part, graph in _graphs_of(bundle, options, Path(folder)).items():
            for build in build_engines(graph, profile_of(bundle, part), capabilities):
                refused += not build.ok
                _say(f"{part} SM {build.capability}: {build.layers} layers, {_verdict(build)}, {build.seconds:.1f} s")
    return 1 if refused else 0


def _graphs_of(bundle: Bundle, options: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """The graph of each part in the precision that is asked for; those that are made for it lie in `folder`."""
    parts = _parts_of(bundle, options)
    if options.precision == "fp32":
        return {part: bundle.graph(part) for part in parts}
    from darkroom_export.autocast import autocast_bundle

    return autocast_bundle(bundle, parts, folder)


def _parts_of(bundle: Bundle, options: argparse.Namespace) -> list[str]:
    parts = bundle.manifest["parts"]
    unknown = set(options.part or ()) - set(parts)
    if unknown:
        raise ExportError(f"{options.bundle} has no part {', '.join(sorted(unknown))}.")
    return list(options.part or parts)


def _verdict(build: Build) -> str:
    if build.ok:
        return f"{build.plan_bytes / 1e6:.1f} MB"
    way_out = " Build it with --precision fp16." if build.lacks_fp32_products else ""
    return f"refused: {build.errors[0]}{way_out}"


def _say(line: str) -> None:
    """Results and progress of long commands: stdout is for what a script reads."""
    print(line, file=sys.stderr, flush=True)
