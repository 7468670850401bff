"""Files to frames and back: probe, read, plan, write, verify. Numpy only; torch is not imported here."""
