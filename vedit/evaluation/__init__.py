"""How good a result is: measured against its source, told in words, and held to what is required."""
