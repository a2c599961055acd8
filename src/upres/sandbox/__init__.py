"""The limited child: strangers' files are decoded in a process that can do nothing else."""
