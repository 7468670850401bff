"""The metrics, one file each; `vedit.registry.metrics` lists them."""
