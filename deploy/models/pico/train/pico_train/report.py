"""A score in words, for a terminal and for a model card."""

from collections import Counter
from pathlib import Path

from pico_train.errors import TrainError
from pico_train.files import write_whole
from pico_train.score import Score, Tally

_BEGIN = "<!-- score: written by `pico_train score --card` -->"
_END = "<!-- end of score -->"


def describe_score(score: Score, seeds: int) -> str:
    """Returns a Markdown table of the figures and, below it, every miss."""
    rows = {
        f"the thing in `a NAME`, {seeds} seeds each": score.concepts,
        "the same, among five guesses": score.concepts_top_5,
        "white where no background is named": score.unnamed_background,
        f"the thing, with background and half of the time style named, {seeds} seeds each": score.combinations,
        "the background of those": score.combined_background,
        "the style of those": score.combined_style,
    }
    width = max(len(name) for name in rows)
    figures = max(len(str(tally)) for tally in rows.values())
    lines = [f"| {'what is right':<{width}} | {'of all':<{figures}} |", f"| {'-' * width} | {'-' * figures} |"]
    lines += [f"| {name:<{width}} | {tally!s:<{figures}} |" for name, tally in rows.items()]
    return "\n".join([*lines, "", _misses(rows)])


def write_card(card: Path, text: str) -> None:
    """Replaces what stands between the two marks of a model card. Raises TrainError when they are not there."""
    before, after = split_card(card)
    content = f"{before}{_BEGIN}\n\n{text}\n\n{_END}{after}"
    write_whole(card, lambda unfinished: unfinished.write_text(content, "utf-8"))


def split_card(card: Path) -> tuple[str, str]:
    """Returns what stands before and after a card's score. Raises TrainError when there is no place for one."""
    before, begin, rest = (card.read_text("utf-8") if card.exists() else "").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise TrainError(f"{card} has no place for the score: put the lines {_BEGIN} and {_END} into it.")
    return before, after


def _misses(rows: dict[str, Tally]) -> str:
    """Every miss with how often; what two rows count is told once."""
    missed = Counter[str]()
    for tally in rows.values():
        missed |= Counter(tally.misses)
    told = (f"{miss}{f' ({times} times)' if times > 1 else ''}" for miss, times in sorted(missed.items()))
    return f"Misses: {'; '.join(told) or 'none'}."
