"""What the proofs of the service are made of."""
