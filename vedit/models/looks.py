"""The looks that a model was trained on, as its looks.json lists them, and the choice of some of them by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from vedit.errors import InputError
from vedit.models import LOOKS, known_words, resolve, unknown_words
from vedit.models.configs import damaged, read_json
