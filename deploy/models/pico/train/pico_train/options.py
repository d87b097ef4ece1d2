"""Kinds of numbers that the command line takes. Raise argparse's own error for others, with what is allowed."""

import argparse
import math

# What both torch's and NumPy's generators take.
_SEED_MAX = 2**63 - 1
# Groups of the U-Net's norms.
_CHANNELS_STEP = 16


def count(text: str) -> int:
    """1 or more."""
    return _whole(text, 1, "has to be a whole number from 1")


def seed(text: str) -> int:
    """0 or more, in 63 bits."""
    number = _whole(text, 0, "has to be a whole number from 0")
    if number > _SEED_MAX:
        raise argparse.ArgumentTypeError(f"{text} is more than {_SEED_MAX}")
    return number


def channels(text: str) -> int:
    """A multiple of 16."""
    number = count(text)
    if number % _CHANNELS_STEP:
        raise argparse.ArgumentTypeError(f"{text} is no multiple of {_CHANNELS_STEP}")
    return number


def positive(text: str) -> float:
    """More than 0, and finite."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} has to be a number above 0")
    return number


def _whole(text: str, smallest: int, told: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = smallest - 1
    if number < smallest:
        raise argparse.ArgumentTypeError(f"{text!r} {told}")
    return number
