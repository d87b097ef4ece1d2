"""The folder that a training works in, and what each command does there.

icons/            what `render` made
latents/          pictures of the concepts, encoded
runs/             checkpoints, one file for each run
vae/              what `train vae` made
pico/             a whole model: `train decoder` gives the VAE, `train unet` the rest
pico-STYLE/       a variant: `fine-tune` gives it a U-Net, the rest is that of `pico` beside it
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from pico_train.concepts import Concept, read_concepts
from pico_train.digest import digest_of
from pico_train.errors import TrainError
from pico_train.latents import Examples, encoder_digest, open_latents, whiten
from pico_train.models import (
    complete_folder,
    copy_network,
    load_text_encoder,
    load_unet,
    load_vae,
    part_folder,
    save_network,
)
from pico_train.pictures import Icons, open_icons
from pico_train.plan import Plan
from pico_train.render import SETS
from pico_train.run import train
from pico_train.text import Vocabulary, create_text_encoder, narrow_text_encoder, widen_text_encoder
from pico_train.unet import CHANNELS, Lesson, Networks, UnetTask, create_unet
from pico_train.vae import DecoderTask, VaeTask, create_vae, decoder_source, measure_psnr, vae_source

BASE_STYLE = "flat"


@dataclass(frozen=True)
class Workshop:
    """Where, on what, and with which seed."""

    folder: Path
    device: torch.device
    seed: int

    def icons(self, style: str) -> Icons:
        """The rendered icons of a style."""
        return open_icons(self.folder / "icons", style)

    def checkpoint(self, plan: Plan) -> Path:
        """Where a run keeps how far it came."""
        return self.folder / "runs" / f"{plan.name}.pt"


@dataclass(frozen=True)
class Course:
    """What a U-Net is trained on and from: style, concepts, variants of each, a VAE's folder, a model to start from."""

    style: str
    concepts: tuple[Concept, ...]
    variants: int
    vae: Path | None
    start_from: Path | None
    channels: tuple[int, ...] = CHANNELS

    def describe(self, lesson: Lesson, networks: Networks) -> str:
        """What a checkpoint has to agree with: other icons, another VAE or start may have the same name."""
        data = digest_of(lesson.latents.key, self.concepts)
        start = digest_of(networks.unet, networks.text_encoder) if self.start_from else f"channels {self.channels}"
        return f"{self.style}, {len(self.concepts)} concepts, {self.variants} variants, data {data}, from {start}"


def train_vae(workshop: Workshop, plan: Plan) -> None:
    """Trains an autoencoder on all icons, whitens its latents, and writes it to `vae`."""
    source = vae_source(_every_icon(workshop), read_concepts("all"))
    own_plan = dataclasses.replace(plan, details=f"icons {source.digest}")
    torch.manual_seed(plan.seed)
    vae = create_vae().to(workshop.device)
    train(VaeTask(vae, source, plan), own_plan, workshop.checkpoint(plan))
    whiten(vae, Examples(workshop.icons(BASE_STYLE), read_concepts("core"), plan.seed))
    print(f"vae: {measure_psnr(vae, source, plan.seed):.1f} dB")
    save_network(vae, workshop.folder / "vae")


def train_decoder(workshop: Workshop, plan: Plan, vae_folder: Path | None) -> None:
    """Trains the decoder of a VAE further, and writes the VAE to `pico/vae`."""
    folder, model = vae_folder or workshop.folder / "vae", workshop.folder / "pico"
    vae = load_vae(folder).to(workshop.device)
    if (model / "unet").exists() and not _has_encoder_of(model / "vae", vae):
        raise TrainError(
            f"The U-Net in {model} was trained on the latents of another VAE than {folder}: train it first."
        )
    source = decoder_source(_every_icon(workshop), read_concepts("core"))
    own_plan = dataclasses.replace(plan, details=f"icons {source.digest}, from {digest_of(vae)}")
    before = measure_psnr(vae, source, plan.seed)
    train(DecoderTask(vae, source, plan), own_plan, workshop.checkpoint(plan))
    print(f"decoder: {before:.1f} dB before, {measure_psnr(vae, source, plan.seed):.1f} dB after")
    save_network(vae, model / "vae")


def train_unet(workshop: Workshop, plan: Plan, course: Course) -> None:
    """Trains U-Net and text encoder, and completes `pico`."""
    model, vae_folder = workshop.folder / "pico", _vae_folder(workshop, course)
    _refuse_own_result(course, model)
    lesson = _open_lesson(workshop, course, vae_folder)
    torch.manual_seed(plan.seed)
    networks = _to(workshop.device, _start_networks(course, lesson.vocabulary))
    own_plan = dataclasses.replace(plan, details=course.describe(lesson, networks))
    train(UnetTask(networks, lesson, plan.batch), own_plan, workshop.checkpoint(own_plan))
    save_network(networks.unet, model / "unet")
    save_network(widen_text_encoder(networks.text_encoder, lesson.vocabulary), model / "text_encoder")
    # A decoder that was trained further on these latents is better than the one that it started from.
    if not _has_encoder_of(model / "vae", load_vae(vae_folder)):
        copy_network(vae_folder, model / "vae")
    complete_folder(model)


def fine_tune(workshop: Workshop, plan: Plan, course: Course) -> None:
    """Trains the U-Net of a model on another style and writes it to `pico-STYLE`; the rest stays and is shared."""
    model = workshop.folder / "pico"
    base, own = course.start_from or model, workshop.folder / f"pico-{course.style}"
    _refuse_own_result(course, own)
    if course.vae and not _has_encoder_of(part_folder(base, "vae"), load_vae(course.vae)):
        raise TrainError(f"{base} was trained on the latents of another VAE than {course.vae}.")
    lesson = _open_lesson(workshop, course, course.vae or part_folder(base, "vae"))
    _share(base, model)
    networks = _to(workshop.device, _load_networks(base, lesson.vocabulary))
    networks.text_encoder.requires_grad_(False)
    details = dataclasses.replace(course, start_from=base).describe(lesson, networks)
    own_plan = dataclasses.replace(plan, name=f"{plan.name}-{course.style}", details=details)
    train(UnetTask(networks, lesson, plan.batch), own_plan, workshop.checkpoint(own_plan))
    save_network(networks.unet, own / "unet")


def _refuse_own_result(course: Course, model: Path) -> None:
    """A run that starts from what it writes could not be told from a new one when it is given again."""
    if course.start_from and course.start_from.resolve() == model.resolve():
        raise TrainError(f"{model} is what this training writes: start from a copy in another folder.")


def _share(base: Path, model: Path) -> None:
    """Sees to it that what a variant shares with `pico` beside it is that of its base.

    Raises TrainError when `pico` is another model.
    """
    if base.resolve() == model.resolve():
        return
    if not (model / "text_encoder").exists():
        for part in ("vae", "unet", "text_encoder"):
            copy_network(part_folder(base, part), model / part)
        complete_folder(model)
    elif not _is_same(base, model):
        raise TrainError(
            f"A variant shares text encoder and VAE with {model}, and {base} has others: use another --work."
        )


def _is_same(base: Path, model: Path) -> bool:
    encoders = (load_vae(part_folder(one, "vae")) for one in (base, model))
    texts = (load_text_encoder(one) for one in (base, model))
    return len({encoder_digest(vae) for vae in encoders}) == len({digest_of(text) for text in texts}) == 1


def _has_encoder_of(folder: Path, vae: AutoencoderKL) -> bool:
    return (folder / "config.json").exists() and encoder_digest(load_vae(folder)) == encoder_digest(vae)


def _every_icon(workshop: Workshop) -> list[Icons]:
    return [workshop.icons(style) for style in SETS]


def _vae_folder(workshop: Workshop, course: Course) -> Path:
    """A VAE named on the command line, or the last that was made here."""
    candidates = [course.vae] if course.vae else [workshop.folder / "pico" / "vae", workshop.folder / "vae"]
    for folder in candidates:
        if (folder / "config.json").exists():
            return folder
    raise TrainError(
        f"There is no VAE in {' or '.join(map(str, candidates))}: run `train vae`, or name one with --vae."
    )


def _open_lesson(workshop: Workshop, course: Course, vae_folder: Path) -> Lesson:
    path = workshop.folder / "latents" / f"{course.style}-{len(course.concepts)}.pt"
    examples = Examples(workshop.icons(course.style), course.concepts, workshop.seed, course.variants)
    latents = open_latents(path, load_vae(vae_folder).to(workshop.device), examples)
    return Lesson(latents, course.concepts, course.style, Vocabulary())


def _start_networks(course: Course, vocabulary: Vocabulary) -> Networks:
    if course.start_from:
        return _load_networks(course.start_from, vocabulary)
    return Networks(create_unet(course.channels), create_text_encoder(vocabulary))


def _load_networks(model: Path, vocabulary: Vocabulary) -> Networks:
    return Networks(load_unet(model), narrow_text_encoder(model, vocabulary))


def _to(device: torch.device, networks: Networks) -> Networks:
    return Networks(networks.unet.to(device), networks.text_encoder.to(device))
