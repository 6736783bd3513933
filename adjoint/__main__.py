"""``python -m adjoint`` is the command ``adjoint``."""

import sys

from .cli import main

sys.exit(main())
