"""For authors of plug-ins and for tests: fakes of every seam, and a tiny random model."""
