"""Rendered icons, and the training pictures that are made of them."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from pico_train.concepts import BACKGROUNDS, Concept
from pico_train.digest import digest_of
from pico_train.errors import TrainError, first_line
from pico_train.render import SIZE

# [10,3] in [-1,1].
BACKGROUND_COLOURS = torch.tensor(list(BACKGROUNDS.values())).float() / 127.5 - 1


@dataclass(frozen=True)
class Icons:
    """One set of rendered icons, read from the disk as it is used: `rgba` is uint8 [N,128,128,4]."""

    style: str
    names: tuple[str, ...]
    rgba: NDArray[np.uint8]

    def indices(self, concepts: tuple[Concept, ...]) -> NDArray[np.int64]:
        """Returns where the concepts are. Raises TrainError when one has no icon."""
        known = {name: index for index, name in enumerate(self.names)}
        missing = [concept.icon for concept in concepts if concept.icon not in known]
        if missing:
            raise TrainError(
                f"The icons of style {self.style} lack {' '.join(missing)}: remove them and run `render` again."
            )
        return np.array([known[concept.icon] for concept in concepts])

    def digest(self, concepts: tuple[Concept, ...]) -> str:
        """Tells drawings of these concepts from others, such as those of another version of the icons."""
        return digest_of(self.rgba[self.indices(concepts)])


def open_icons(folder: Path, style: str) -> Icons:
    """Opens what `render` made. Raises TrainError when it made nothing there."""
    index = folder / f"{style}.json"
    if not index.exists():
        raise TrainError(f"There is no {index}: run `render` first.")
    try:
        names = tuple(json.loads(index.read_text("utf-8")))
        rgba = np.memmap(folder / f"{style}.rgba", dtype=np.uint8, mode="r").reshape(len(names), SIZE, SIZE, 4)
    except (OSError, ValueError) as error:
        raise TrainError(
            f"The icons of {index} cannot be read: {first_line(error)} Remove it and run `render` again."
        ) from error
    return Icons(style, names, rgba)


@dataclass(frozen=True)
class Placing:
    """How far icons are moved: smallest scale, largest shift as a share of half a side, odds of a mirror image."""

    scale_min: float = 0.8
    shift_max: float = 0.06
    mirrored: float = 0.5

    def place(self, rgba: NDArray[np.uint8], generator: torch.Generator) -> torch.Tensor:
        """Scales, shifts and mirrors each of uint8 [B,H,W,4]: [B,4,H,W], premultiplied, alpha last.

        Premultiplied, because edges would otherwise take on the colour of what is transparent.
        """
        icons = _premultiply(rgba)
        batch = len(icons)
        scale = torch.empty(batch).uniform_(self.scale_min, 1.0, generator=generator)
        side = torch.where(torch.rand(batch, generator=generator) < self.mirrored, -1.0, 1.0)
        # Never out of the picture by more than its margin.
        reach = torch.minimum(torch.full((batch,), self.shift_max * 2), 1 - scale + 0.02)
        shift = (torch.rand(batch, 2, generator=generator) * 2 - 1) * reach[:, None]
        affine = torch.zeros(batch, 2, 3)
        affine[:, 0, 0] = side / scale
        affine[:, 1, 1] = 1 / scale
        affine[:, :, 2] = shift / scale[:, None]
        grid = F.affine_grid(affine, list(icons.shape), align_corners=False)
        return F.grid_sample(icons, grid, align_corners=False)


def compose(icons: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
    """Puts placed icons, [B,4,H,W], on plain backgrounds, [B,3] in [-1,1]: [B,3,H,W] in [-1,1]."""
    alpha = icons[:, 3:]
    return (icons[:, :3] + (colours[:, :, None, None] + 1) * (1 - alpha) - 1).clamp(-1, 1)


def _premultiply(rgba: NDArray[np.uint8]) -> torch.Tensor:
    icons = torch.from_numpy(np.ascontiguousarray(rgba)).permute(0, 3, 1, 2).float()
    alpha = icons[:, 3:] / 255
    return torch.cat([icons[:, :3] / 127.5 * alpha, alpha], 1)


def halve(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns icons of half the side, uint8 with straight alpha as before."""
    smaller = F.avg_pool2d(_premultiply(rgba), 2)
    alpha = smaller[:, 3:]
    straight = torch.cat([smaller[:, :3] / alpha.clamp(min=1 / 255) * 127.5, alpha * 255], 1)
    return straight.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def draw_colours(count: int, named: float, generator: torch.Generator) -> torch.Tensor:
    """Returns [count,3] in [-1,1]: one of the ten backgrounds with the odds `named`, any colour otherwise."""
    is_named = torch.rand(count, 1, generator=generator) < named
    chosen = BACKGROUND_COLOURS[torch.randint(len(BACKGROUND_COLOURS), (count,), generator=generator)]
    return torch.where(is_named, chosen, torch.rand(count, 3, generator=generator) * 2 - 1)
