"""What comes from outside, checked: arguments, bounds, names, numbers, and text with a structure."""
