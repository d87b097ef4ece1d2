"""Settings of every test."""

import os

# Read when torch is imported. One thread, so that other suites have the machine's other cores, and no network.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
