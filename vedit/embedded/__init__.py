"""The embedded checkpoint: a diffusers folder beside this file."""

from pathlib import Path

FOLDER = Path(__file__).parent
