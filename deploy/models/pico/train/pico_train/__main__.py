"""`python -m pico_train`."""

import sys

from pico_train.cli import main

if __name__ == "__main__":
    sys.exit(main())
