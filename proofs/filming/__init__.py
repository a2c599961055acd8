"""Programs behind `make prove-video`, one for each matter."""
