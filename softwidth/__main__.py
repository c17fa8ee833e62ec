"""``python -m softwidth``: the command line."""

import sys

from softwidth.cli import main

sys.exit(main())
