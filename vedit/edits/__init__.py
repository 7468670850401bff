"""Edit lists: the shots of a clip and their looks, as a Python value and as a plan file."""
