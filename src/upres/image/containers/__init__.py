"""What the formats' files say of themselves that libvips does not tell, or does not check."""
