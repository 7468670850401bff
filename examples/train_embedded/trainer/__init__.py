"""Training of the embedded model: data, looks, autoencoder, diffusion, export. Not part of the installed package."""
