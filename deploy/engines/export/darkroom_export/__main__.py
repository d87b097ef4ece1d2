"""`python -m darkroom_export`."""

import sys

from darkroom_export.cli import main

if __name__ == "__main__":
    sys.exit(main())
