"""How much of a command is done, and how long the rest will take."""
