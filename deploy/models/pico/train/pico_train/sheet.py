"""A contact sheet: pictures with their prompts below them."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

PROMPTS = (
    "a cat",
    "a red apple, blue background",
    "a dog, yellow background",
    "a banana",
    "a red car, green background",
    "a house",
    "a tree, blue background",
    "a rocket, black background",
    "a penguin, pink background",
    "a pizza",
    "a birthday cake, purple background",
    "a castle, gray background",
    "a robot",
    "a soccer ball, green background",
    "a sunflower",
    "an umbrella, orange background",
)
_COLUMNS = 4
_MARGIN = 8
_LINE = 14
_PAPER, _INK = "white", "#333333"


def make_sheet(pictures: torch.Tensor, captions: Sequence[str], path: Path) -> None:
    """Writes pictures [N,3,H,W] in [-1,1] as one PNG, four in a row."""
    height, width = pictures.shape[2:]
    cell_width, cell_height = width + _MARGIN, height + _LINE * 2 + _MARGIN
    rows = -(-len(pictures) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * cell_width + _MARGIN, rows * cell_height + _MARGIN), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for index, (picture, caption) in enumerate(zip(_to_bytes(pictures), captions, strict=True)):
        left = _MARGIN + index % _COLUMNS * cell_width
        top = _MARGIN + index // _COLUMNS * cell_height
        sheet.paste(Image.fromarray(picture.numpy()), (left, top))
        lines = _wrap(caption, width, font)
        draw.multiline_text((left, top + height + 2), "\n".join(lines[:2]), _INK, font, spacing=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)


def _to_bytes(pictures: torch.Tensor) -> torch.Tensor:
    return ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)


def _wrap(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
