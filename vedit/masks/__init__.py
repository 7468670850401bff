"""Where the picture changes: mattes from files, shapes, keyed pictures and tracked subjects."""

from vedit.masks.mattes import SourceMattes, area, open_mattes
from vedit.masks.source import Layer, MatteSource

__all__ = ["Layer", "MatteSource", "SourceMattes", "area", "open_mattes"]
