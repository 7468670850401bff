"""Keyframes: a few frames of a shot are drawn, and what lies between is carried from both sides along its motion."""
