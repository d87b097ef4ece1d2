"""A bar for people, and a line now and then for logs."""

import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from tqdm import tqdm

_LINE_EVERY_S = 10


class _Lines(tqdm):
    """A bar that never redraws itself: in a file that would be one line as long as the run."""

    @staticmethod
    def status_printer(file: TextIO) -> Callable[[str], None]:
        """Returns what tqdm calls with each state of the bar, and with nothing to wipe it away."""

        def print_line(text: str) -> None:
            if text:
                print(text, file=file, flush=True)

        return print_line


def show_progress(items: Iterable[Any] | None = None, **options: Any) -> Any:
    """Returns tqdm's bar, which redraws ten times a second on a terminal and adds a line every ten seconds to a log."""
    if sys.stderr.isatty():
        return tqdm(items, dynamic_ncols=True, **options)
    return _Lines(items, **{"mininterval": _LINE_EVERY_S, "ncols": 0, **options})
