"""Work that was accepted and is not lost: the table of jobs, and what works on it."""
