"""The looks that a model was trained on, as its looks.json lists them, and the choice of some of them by name."""

from __future__ import annotations
