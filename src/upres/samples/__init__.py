"""Small sample pictures that ship with upres, for measuring models on this machine."""
