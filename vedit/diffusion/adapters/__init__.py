"""Edits of a network's attention, each injected and taken out without a trace."""
