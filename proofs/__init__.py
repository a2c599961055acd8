"""Proofs: programs that run an issue's bars, and the JSON files they wrote."""
