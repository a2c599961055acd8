"""Enlarging a picture in memory: geometry, resampling, the list of steps."""
