"""The bars of the models of our own, as `make prove-models` runs them."""
