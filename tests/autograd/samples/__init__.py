"""For every primitive: how to draw inputs and parameters for it away from its kinks, and what its value must be.

``SAMPLES[name]`` is a strategy of :class:`Sample`. The tests walk the registry and look each primitive up here. Each family has
a file, which fills the table as it is imported.
"""

from importlib import import_module
from pkgutil import iter_modules

from .drawing import SAMPLES, Sample, laid_out

for family in iter_modules(__path__):
    import_module(f".{family.name}", __name__)

__all__ = ["SAMPLES", "Sample", "laid_out"]
