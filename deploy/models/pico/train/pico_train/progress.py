"""A bar for people, and a line now and then for logs."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def show_progress(items: Iterable[Any] | None = None, **options: Any) -> Any:
    """Returns tqdm's bar, which redraws ten times a second on a terminal and every ten seconds in a log."""
    return tqdm(items, mininterval=0.1 if sys.stderr.isatty() else 10, dynamic_ncols=True, **options)
