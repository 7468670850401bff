"""The families of models, each wrapped once for the stages."""
