#!/usr/bin/env python3
"""Makes a Triton model repository from bundles: one model `<bundle>.<part>` for every part of every bundle.

With `--backend python` (the default) the graphs run in ONNX Runtime on the CPU, through Triton's Python backend and
the model.py beside this file. With `--backend tensorrt` the repository gets engines that were built on the GPU host
that serves them, one file `<bundle>.<part>.plan` each, from the folder `--engines`.

A repository that this program made is replaced as a whole; any other folder is left alone. Needs Python 3.9 or newer
and nothing else.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# A file of this name at its top says that a folder was made here, and may be replaced.
MARK = ".darkroom-model-repository"
CONTRACT = 1

TYPE_OF = {
    "float": "TYPE_FP32",
    "float16": "TYPE_FP16",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
    "uint8": "TYPE_UINT8",
    "bool": "TYPE_BOOL",
}


class Refusal(Exception):
    """What the caller has to mend, in a sentence."""


def main(argv=None):
    options = parse(argv)
    try:
        bundles = [read_bundle(path) for path in bundle_folders(options.models, options.bundle)]
        check_target(options.out)
        names = build(bundles, options)
    except Refusal as refusal:
        print(f"make_repository: {refusal}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"make_repository: {error}", file=sys.stderr)
        return 1
    print(f"{options.out} has {len(names)} models: {', '.join(names)}.")
    return 0


def parse(argv):
    about, rest = __doc__.split("\n\n", 1)
    parser = argparse.ArgumentParser(
        prog="make_repository.py",
        description=about,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    models = HERE.parent / "models"
    add = parser.add_argument
    add("--models", type=Path, default=models, metavar="DIR", help="the folder of bundles (default: deploy/models)")
    add("--out", type=Path, required=True, metavar="DIR", help="the repository to make")
    add("--bundle", action="append", metavar="NAME", help="only this bundle; may be given again (default: all)")
    add("--part", action="append", metavar="NAME", help="only this part of each; may be given again (default: all)")
    add("--backend", choices=["python", "tensorrt"], default="python", help="what runs the models (default: python)")
    add("--engines", type=Path, metavar="DIR", help="with --backend tensorrt: the folder of built engines")
    add("--instances", type=positive, default=1, metavar="N", help="calls of a model that run at a time (default: 1)")
    add("--threads", type=positive, default=1, metavar="N", help="threads within one call on the CPU (default: 1)")
    options = parser.parse_args(argv)
    if options.backend == "tensorrt" and options.engines is None:
        parser.error("--backend tensorrt needs --engines, the folder of engines that were built on the GPU host")
    if options.backend != "tensorrt" and options.engines is not None:
        parser.error("--engines is for --backend tensorrt alone")
    return options


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 is needed")
    return value


def bundle_folders(models, wanted):
    if not models.is_dir():
        raise Refusal(f"the models folder {models} is not there. Point --models at a folder of bundles.")
    found = sorted(each for each in models.iterdir() if (each / "manifest.json").is_file())
    if not found:
        raise Refusal(f"the models folder {models} holds no bundle. Point --models at a folder of bundles.")
    names = [each.name for each in found]
    missing = sorted(set(wanted or ()) - set(names))
    if missing:
        raise Refusal(f"{models} holds no bundle {', '.join(missing)}; it holds {', '.join(names)}.")
    return [each for each in found if wanted is None or each.name in wanted]


def read_bundle(folder):
    """The bundle's folder and manifest, its files being what the manifest says."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        missing = [key for key in ("contract", "name", "version", "parts", "digests") if key not in manifest]
    except (ValueError, TypeError) as error:
        raise Refusal(f"{path} is not a manifest: {error}.") from None
    if missing:
        raise Refusal(f"{path} is not a manifest: it has no {', '.join(missing)}.")
    if manifest["contract"] != CONTRACT:
        raise Refusal(f"{path} is of contract {manifest['contract']}; {CONTRACT} is known here.")
    for name, digest in manifest["digests"].items():
        check_digest(folder / name, digest)
    return folder, manifest


def check_digest(file, expected):
    digest = hashlib.sha256()
    try:
        with open(file, "rb") as stream:
            while chunk := stream.read(2**20):
                digest.update(chunk)
    except OSError as error:
        raise Refusal(f"the model file {file} cannot be read: {error.strerror}. Restore it.") from None
    if digest.hexdigest() != expected:
        raise Refusal(f"the model file {file} is damaged: its sha256 is not the manifest's. Restore it.")


def check_target(out):
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise Refusal(f"{out} is there and is no folder. Choose another --out.")
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise Refusal(f"{out} is not a repository that this program made, and is left alone. Choose another --out.")


def build(bundles, options):
    """Makes the whole repository beside its place, then puts it there; returns the models' names."""
    out = options.out.resolve()
    fresh = out.with_name(f"{out.name}.new-{os.getpid()}")
    fresh.mkdir(parents=True)
    try:
        (fresh / MARK).write_text("Made by make_repository.py, which replaces it as a whole.\n", encoding="utf-8")
        names = [name for bundle in bundles for name in add_bundle(fresh, bundle, options)]
        if not names:
            raise Refusal("no part is left. Leave out --part, or name one that the bundles have.")
        put(fresh, out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return names


def put(fresh, out):
    if not out.exists():
        fresh.rename(out)
        return
    old = out.with_name(f"{out.name}.old-{os.getpid()}")
    out.rename(old)
    try:
        fresh.rename(out)
    except OSError:
        old.rename(out)
        raise
    shutil.rmtree(old)


def add_bundle(repository, bundle, options):
    folder, manifest = bundle
    names = []
    for part, spec in manifest["parts"].items():
        if options.part is not None and part not in options.part:
            continue
        name = f"{manifest['name']}.{part}"
        version = repository / name / str(manifest["version"])
        version.mkdir(parents=True)
        text = config(name, spec, options)
        (repository / name / "config.pbtxt").write_text(text, encoding="utf-8")
        if options.backend == "tensorrt":
            add_engine(version, options.engines / f"{name}.plan")
        else:
            add_graph(version, folder / spec["file"])
        names.append(name)
    return names


def add_graph(version, graph):
    place(HERE / "model.py", version / "model.py")
    place(graph, version / "model.onnx")
    # The graph holds no weights: it names the safetensors that lie beside it.
    for weights in sorted(graph.parent.glob("*.safetensors")):
        place(weights, version / weights.name)


def add_engine(version, plan):
    if not plan.is_file():
        raise Refusal(f"there is no engine {plan}. Build it on the GPU host first.")
    place(plan, version / "model.plan")


def place(source, target):
    """A hard link, so that a repository weighs nothing; a copy where the two lie on different file systems."""
    source = source.resolve()
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def config(name, spec, options):
    """The text of config.pbtxt. Shapes leave out the batch, which is the first dimension of every tensor."""
    kind = "KIND_GPU" if options.backend == "tensorrt" else "KIND_CPU"
    lines = [
        f'name: "{name}"',
        f'backend: "{options.backend}"',
        f"max_batch_size: {spec['maxBatch']}",
        *tensors("input", spec["inputs"]),
        *tensors("output", spec["outputs"]),
        f"instance_group [ {{ kind: {kind} count: {options.instances} }} ]",
        # Without a queue limit or a timeout: with either, Triton sleeps up to 500 ms between batches.
        "dynamic_batching { }",
    ]
    if options.backend == "tensorrt":
        lines.append('default_model_filename: "model.plan"')
    else:
        value = f'{{ string_value: "{options.threads}" }}'
        lines.append(f'parameters {{ key: "intra_op_num_threads" value {value} }}')
    return "\n".join(lines) + "\n"


def tensors(field, specs):
    rows = []
    for spec in specs:
        dims = ", ".join(str(size) for size in spec["shape"][1:])
        rows.append(f'  {{ name: "{spec["name"]}" data_type: {TYPE_OF[spec["type"]]} dims: [ {dims} ] }}')
    return [f"{field} [", ",\n".join(rows), "]"]


if __name__ == "__main__":
    sys.exit(main())
