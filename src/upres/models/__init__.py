"""Models as data: the catalogue, the store that keeps their files, conversion and probing."""
