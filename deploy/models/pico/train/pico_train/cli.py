"""The command line."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pico_train import plan
from pico_train.captions import STYLES
from pico_train.errors import Stopped, TrainError
from pico_train.options import channels, count, positive, seed

if TYPE_CHECKING:
    from pico_train.plan import Plan
    from pico_train.workshop import Course, Workshop

    _Commands = argparse._SubParsersAction["_Parser"]

_DESCRIPTION = "Trains pico, a Stable Diffusion in miniature, from icons. Every training can be stopped and goes on."
_FORMATTER = argparse.ArgumentDefaultsHelpFormatter
_HERE = Path(__file__).parent.parent

_CONCEPTS_HELP = "which things: core (64), all (217), or the first so many"


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Returns the exit status: 0, 1 with the reason on stderr, or 130 when it was told to stop."""
    try:
        options = _parser().parse_args(arguments)
        options.run(options)
    # An OSError is of the place that `--work` names: read-only, full, a file where a folder should be.
    except (TrainError, OSError) as error:
        return _tell(error, 1)
    except Stopped as stopped:
        return _tell(stopped, 130)
    except KeyboardInterrupt:
        return _tell("stopped; the same command goes on from what was kept.", 130)
    return 0


def _tell(reason: object, status: int) -> int:
    print(f"pico_train: {reason}", file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong as every other part does, in one line."""

    def error(self, message: str) -> NoReturn:
        raise TrainError(f"{message}. `{self.prog} --help` lists what there is.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("pico_train", description=_DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_render(commands)
    _add_train(commands)
    _add_fine_tune(commands)
    _add_score(commands)
    _add_sheet(commands)
    return parser


def _add_render(commands: _Commands) -> None:
    command = commands.add_parser(
        "render",
        help="render the icons",
        description="Renders three sets of about 1,020 icons to 128x128 pictures. A set that is there is left alone.",
        formatter_class=_FORMATTER,
    )
    command.add_argument("--packages", type=Path, default=_HERE / "node_modules", help="where npm installed the icons")
    _add_styles(command, STYLES, "which sets: flat, noto, glossy")
    _add_work(command)
    command.set_defaults(run=_render)


def _add_train(commands: _Commands) -> None:
    train = commands.add_parser("train", help="train the vae, its decoder, or the unet with the text encoder")
    parts = train.add_subparsers(required=True, metavar="PART")

    vae = parts.add_parser("vae", help="the autoencoder, on all icons", formatter_class=_FORMATTER)
    _add_training(vae, plan.VAE)
    vae.set_defaults(run=_train_vae)

    decoder = parts.add_parser(
        "decoder",
        help="the decoder alone, at any time: the latents stay what they are",
        formatter_class=_FORMATTER,
    )
    decoder.add_argument("--vae", type=Path, help="the VAE's folder; WORK/vae when it is not given")
    _add_training(decoder, plan.DECODER)
    decoder.set_defaults(run=_train_decoder)

    unet = parts.add_parser(
        "unet", help="the U-Net and the text encoder, on the flat icons", formatter_class=_FORMATTER
    )
    _add_unet(unet, start="the model to start from; an untrained one when it is not given")
    unet.add_argument(
        "--channels",
        type=channels,
        nargs=3,
        default=[64, 128, 192],
        metavar="N",
        help="of each block of an untrained U-Net",
    )
    _add_training(unet, plan.UNET)
    unet.set_defaults(run=_train_unet, style="flat")


def _add_fine_tune(commands: _Commands) -> None:
    command = commands.add_parser(
        "fine-tune",
        help="train only the U-Net further, on another style",
        description="Makes WORK/pico-STYLE, which has a U-Net of its own and shares all else with the model it is of.",
        formatter_class=_FORMATTER,
    )
    command.add_argument("--style", default="noto", choices=STYLES, help="whose icons")
    _add_unet(command, start="the model to start from; WORK/pico when it is not given")
    _add_training(command, plan.FINE_TUNE)
    command.set_defaults(run=_fine_tune)


def _add_score(commands: _Commands) -> None:
    command = commands.add_parser(
        "score",
        help="judge what models draw",
        description="Trains a classifier on renderings, and lets it judge pictures of every concept and of 24 "
        "combinations of thing, background and style. Prints what is right, and every miss.",
        formatter_class=_FORMATTER,
    )
    command.add_argument("models", type=Path, nargs="+", metavar="MODEL", help="a diffusers folder or a bundle")
    command.add_argument("--concepts", default="core", help=_CONCEPTS_HELP)
    command.add_argument("--seeds", type=count, default=4, help="pictures of each prompt")
    command.add_argument(
        "--judge-steps",
        type=count,
        help=f"steps of the classifier's own training; {plan.JUDGE.steps} for the 64, in proportion for more things",
    )
    _add_styles(command, ("flat", "noto"), "that it can name")
    command.add_argument("--card", action="store_true", help="write the figures into each model's MODEL_CARD.md")
    _add_machine(command)
    command.set_defaults(run=_score)


def _add_sheet(commands: _Commands) -> None:
    command = commands.add_parser("sheet", help="draw a contact sheet", formatter_class=_FORMATTER)
    command.add_argument("model", type=Path, metavar="MODEL", help="a diffusers folder or a bundle")
    command.add_argument("out", type=Path, metavar="OUT.png", help="the picture to write")
    command.add_argument("--prompts", nargs="+", metavar="PROMPT", help="what to draw; sixteen things if not given")
    _add_machine(command)
    command.set_defaults(run=_sheet)


def _add_unet(command: argparse.ArgumentParser, start: str) -> None:
    command.add_argument("--concepts", default="core", help=_CONCEPTS_HELP)
    command.add_argument("--variants", type=count, default=16, help="placings of each thing on each background")
    command.add_argument("--vae", type=Path, help="the VAE's folder; the model's own when it is not given")
    command.add_argument("--from", dest="start_from", type=Path, metavar="MODEL", help=start)


def _add_training(command: argparse.ArgumentParser, defaults: Plan) -> None:
    command.add_argument("--steps", type=count, default=defaults.steps, help="steps of the optimiser")
    command.add_argument("--batch", type=count, default=defaults.batch, help="pictures a step")
    command.add_argument("--learning-rate", type=positive, default=defaults.learning_rate, help="the highest")
    _add_machine(command)


def _add_machine(command: argparse.ArgumentParser) -> None:
    _add_work(command)
    command.add_argument("--device", default="auto", help="cpu, cuda, mps; auto takes the fastest")
    command.add_argument("--threads", type=count, help="of the CPU; torch's own choice when it is not given")
    command.add_argument(
        "--seed", type=seed, default=0, help="the same seed and threads give the same weights on one CPU"
    )


def _add_styles(command: argparse.ArgumentParser, default: Sequence[str], what: str) -> None:
    command.add_argument("--styles", nargs="+", default=default, choices=STYLES, metavar="STYLE", help=what)


def _add_work(command: argparse.ArgumentParser) -> None:
    command.add_argument("--work", type=Path, default=_HERE / "work", help="where everything is kept")


# torch takes seconds to load, and `--help` needs none of it.


def _render(options: argparse.Namespace) -> None:
    from pico_train.render import render_sets

    render_sets(options.packages, options.work / "icons", _styles(options))


def _train_vae(options: argparse.Namespace) -> None:
    from pico_train.workshop import train_vae

    train_vae(_workshop(options), _plan(options, plan.VAE))


def _train_decoder(options: argparse.Namespace) -> None:
    from pico_train.workshop import train_decoder

    train_decoder(_workshop(options), _plan(options, plan.DECODER), options.vae)


def _train_unet(options: argparse.Namespace) -> None:
    from pico_train.workshop import train_unet

    train_unet(_workshop(options), _plan(options, plan.UNET), _course(options))


def _fine_tune(options: argparse.Namespace) -> None:
    from pico_train.workshop import fine_tune

    fine_tune(_workshop(options), _plan(options, plan.FINE_TUNE), _course(options))


def _score(options: argparse.Namespace) -> None:
    from pico_train.judging import Scoring, score_models

    scoring = Scoring(options.concepts, _styles(options), options.seeds, options.judge_steps, options.card)
    score_models(_workshop(options), options.models, scoring)


def _sheet(options: argparse.Namespace) -> None:
    from pico_train.draw import Wish, draw, open_pipeline
    from pico_train.sheet import PROMPTS, make_sheet

    if options.out.suffix.lower() != ".png" or options.out.is_dir():
        raise TrainError(f"{options.out} is no name for a picture: let it end in .png.")
    prompts = options.prompts or PROMPTS
    pipeline = open_pipeline(options.model, _workshop(options).device)
    make_sheet(draw(pipeline, [Wish(prompt, options.seed) for prompt in prompts]), prompts, options.out)


def _workshop(options: argparse.Namespace) -> Workshop:
    import torch

    from pico_train.models import device_of
    from pico_train.workshop import Workshop

    if options.threads:
        torch.set_num_threads(options.threads)
    return Workshop(options.work, device_of(options.device), options.seed)


def _styles(options: argparse.Namespace) -> tuple[str, ...]:
    return tuple(dict.fromkeys(options.styles))


def _plan(options: argparse.Namespace, defaults: Plan) -> Plan:
    return dataclasses.replace(
        defaults,
        steps=options.steps,
        batch=options.batch,
        learning_rate=options.learning_rate,
        seed=options.seed,
    )


def _course(options: argparse.Namespace) -> Course:
    from pico_train.concepts import read_concepts
    from pico_train.workshop import Course

    concepts = read_concepts(options.concepts)
    course = Course(options.style, concepts, options.variants, options.vae, options.start_from)
    return dataclasses.replace(course, channels=tuple(options.channels)) if "channels" in options else course
