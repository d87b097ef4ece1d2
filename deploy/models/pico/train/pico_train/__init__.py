"""Trains pico, a Stable Diffusion in miniature, from icons."""

import os

# Read when transformers is imported: what it advises is about loading pictures, which nothing here does.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
