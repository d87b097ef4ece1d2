"""The things that the model is taught to draw, and the colours that it draws them on."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from pico_train.errors import TrainError

_FILE = Path(__file__).parent.parent / "concepts.toml"

# RGB. What a caption calls a background, and what the score takes it for.
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (255, 255, 255),
    "black": (24, 24, 28),
    "gray": (150, 152, 158),
    "red": (214, 52, 60),
    "orange": (245, 140, 40),
    "yellow": (250, 218, 80),
    "green": (84, 176, 92),
    "blue": (66, 120, 226),
    "purple": (140, 84, 200),
    "pink": (248, 170, 202),
}
BACKGROUND_NAMES = tuple(BACKGROUNDS)

# A caption that names no background means this one.
UNNAMED = "white"

# A classifier of one thing is always right.
_COUNT_MIN = 2


@dataclass(frozen=True)
class Concept:
    """One thing: its icon in every set, and what captions call it, its own name first."""

    icon: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name that prompts of the score use."""
        return self.names[0]


def read_concepts(which: str) -> tuple[Concept, ...]:
    """Returns the 64 of `core`, `all` 217, or the first so many of them. Raises TrainError on anything else."""
    tables = _read_tables()
    everything = [Concept(icon, tuple(names)) for table in ("core", "more") for icon, names in tables[table].items()]
    named = {"core": len(tables["core"]), "all": len(everything)}
    count = named.get(which, int(which) if which.isdecimal() else 0)
    if not _COUNT_MIN <= count <= len(everything):
        raise TrainError(
            f"--concepts is core, all or a number from {_COUNT_MIN} to {len(everything)}, and not {which!r}."
        )
    return tuple(everything[:count])


def _read_tables() -> dict[str, dict[str, list[str]]]:
    try:
        tables = tomllib.loads(_FILE.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise TrainError(f"{_FILE} cannot be read: {error}.") from None
    for icon, names in [*tables["core"].items(), *tables["more"].items()]:
        if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
            raise TrainError(f'{_FILE}: {icon} needs names in brackets, as in {icon} = ["{icon}"].')
    return tables
