"""Measurements of speed, memory and work."""
