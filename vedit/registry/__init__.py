"""What can be asked for by name, built in or from a plug-in."""
