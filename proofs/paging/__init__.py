"""What the proofs of the page run: its tests in a real browser, and its weight."""
