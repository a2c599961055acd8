"""The condition of a picture, measured, and the strength that `auto` chooses for it."""
