"""``python -m beespace`` is the ``beespace`` command."""

import sys

from beespace.cli.main import main

sys.exit(main())
