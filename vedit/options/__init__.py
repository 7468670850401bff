"""What a user may ask of a render. Importing this does not import torch."""
