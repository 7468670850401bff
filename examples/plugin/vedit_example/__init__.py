"""Parts for vedit that lie in a distribution of their own."""
