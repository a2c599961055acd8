"""The shape of what children of clips send, for both ends; the frames around it are wire.py's."""

from __future__ import annotations

import struct

NAME = "clip"
"""Children are not told the names of files."""
SOUND_HZ, SOUND_CHANNELS = 48_000, 2
"""Sound is sent as such samples, float32, channel by channel in turns."""
STAMP = struct.Struct("<qqqq")
"""Before a frame's samples: ticks, and the three counts of damage. Before sound: its place, in
samples from the clip's zero, and three zeros."""
