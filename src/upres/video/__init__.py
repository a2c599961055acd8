"""Video: clips decoded, enlarged frame by frame and encoded, with all that travels beside them."""
