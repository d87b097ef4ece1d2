"""Where the things of a bundle come from: its own source, or the bundle that it is a variant of."""

from dataclasses import dataclass
from pathlib import Path

from darkroom_export.bundle import Bundle
from darkroom_export.source import COMPONENTS, Component, check_source


@dataclass(frozen=True)
class Layout:
    """`own` are the components that are exported; `folders` has the folder of each component, own or shared."""

    own: tuple[Component, ...]
    folders: dict[str, Path]
    tokenizer: Path
    scheduler: Path


def lay_out(source: Path, base: Bundle | None) -> Layout:
    """What the source has is its own, the rest is the base's. Raises an ExportError for what cannot be exported."""
    own = check_source(source, base is not None)

    def find(own_path: Path, shared: str) -> Path:
        return own_path if base is None or own_path.exists() else base.path(base.manifest[shared])

    return Layout(
        own=own,
        folders={c.name: source / c.name if c in own or base is None else _shared(base, c) for c in COMPONENTS},
        tokenizer=find(source / "tokenizer", "tokenizer"),
        scheduler=find(source / "scheduler" / "scheduler_config.json", "schedulerConfig"),
    )


def _shared(base: Bundle, component: Component) -> Path:
    return base.graph(component.parts[0]).parent
