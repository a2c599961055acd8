"""Speed and memory of upres beside this machine's own limits and beside other programs."""
