"""The folder that a training works in, and what each command does there.

icons/            what `render` made
latents/          pictures of the concepts, encoded
runs/             checkpoints, one file for each run
vae/              what `train vae` made
pico/             a whole model: `train decoder` gives the VAE, `train unet` the rest
pico-STYLE/       a variant: `fine-tune` gives it a U-Net, the rest is that of `pico` beside it
"""

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from pico_train.concepts import Concept, read_concepts
from pico_train.errors import TrainError
from pico_train.latents import Examples, open_latents, whiten
from pico_train.models import complete_folder, load_unet, load_vae, part_folder, save_network
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

    def __str__(self) -> str:
        """What a checkpoint has to agree with."""
        start = self.start_from.name if self.start_from else f"channels {self.channels}"
        return f"{self.style}, {len(self.concepts)} concepts, {self.variants} variants, from {start}"


def train_vae(workshop: Workshop, plan: Plan) -> None:
    """Trains an autoencoder on all icons, whitens its latents, and writes it to `vae`."""
    source = vae_source(_every_icon(workshop), read_concepts("all"))
    torch.manual_seed(plan.seed)
    vae = create_vae().to(workshop.device)
    train(VaeTask(vae, source, plan), plan, workshop.checkpoint(plan))
    whiten(vae, Examples(workshop.icons(BASE_STYLE), read_concepts("core"), plan.seed))
    print(f"vae: {measure_psnr(vae, source, plan.seed):.1f} dB")
    save_network(vae, workshop.folder / "vae")


def train_decoder(workshop: Workshop, plan: Plan, vae_folder: Path | None) -> None:
    """Trains the decoder of a VAE further, and writes the VAE to `pico/vae`."""
    vae = load_vae(vae_folder or workshop.folder / "vae").to(workshop.device)
    source = decoder_source(_every_icon(workshop), read_concepts("core"))
    before = measure_psnr(vae, source, plan.seed)
    train(DecoderTask(vae, source, plan), plan, workshop.checkpoint(plan))
    print(f"decoder: {before:.1f} dB before, {measure_psnr(vae, source, plan.seed):.1f} dB after")
    save_network(vae, workshop.folder / "pico" / "vae")


def train_unet(workshop: Workshop, plan: Plan, course: Course) -> None:
    """Trains U-Net and text encoder, and completes `pico`."""
    model, vae_folder = workshop.folder / "pico", _vae_folder(workshop, course)
    lesson = _open_lesson(workshop, course, vae_folder)
    torch.manual_seed(plan.seed)
    networks = _to(workshop.device, _start_networks(course, lesson.vocabulary))
    own_plan = dataclasses.replace(plan, details=str(course))
    train(UnetTask(networks, lesson, plan.batch), own_plan, workshop.checkpoint(own_plan))
    save_network(networks.unet, model / "unet")
    save_network(widen_text_encoder(networks.text_encoder, lesson.vocabulary), model / "text_encoder")
    if vae_folder != model / "vae":
        shutil.copytree(vae_folder, model / "vae", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.onnx"))
    complete_folder(model)


def fine_tune(workshop: Workshop, plan: Plan, course: Course) -> None:
    """Trains the U-Net of a model on another style and writes it to `pico-STYLE`; the rest stays and is shared."""
    base = course.start_from or workshop.folder / "pico"
    lesson = _open_lesson(workshop, course, course.vae or part_folder(base, "vae"))
    networks = _to(workshop.device, _load_networks(base, lesson.vocabulary))
    networks.text_encoder.requires_grad_(False)
    own_plan = dataclasses.replace(plan, name=f"{plan.name}-{course.style}", details=str(course))
    train(UnetTask(networks, lesson, plan.batch), own_plan, workshop.checkpoint(own_plan))
    save_network(networks.unet, workshop.folder / f"pico-{course.style}" / "unet")


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
