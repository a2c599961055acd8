"""Training of the upres models: development only, never imported by upres itself."""
