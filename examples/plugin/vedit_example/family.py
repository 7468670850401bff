"""A family of models: the closed-form one that vedit tests itself with, as a place to begin from.

A real one reads its weights in `load` and wraps its networks as `vedit.models.family.Model` asks.
"""

from __future__ import annotations

from vedit.testing.video_family import FakeVideoFamily


class ExampleFamily(FakeVideoFamily):
    """A `vedit.models.family.Family`: a latent for each four frames, the first frame alone."""

    name = "example-video"


FAMILY = ExampleFamily()
