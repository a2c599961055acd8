"""Pictures: what they are in memory, and how files become pictures and back."""
