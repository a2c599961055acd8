"""Measures models on pictures and on this machine, for `upres bench`."""
