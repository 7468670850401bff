"""Control maps as files: exported, read back, listed, and measured against a clip."""
