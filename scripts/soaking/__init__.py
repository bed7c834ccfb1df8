"""A long read of a mount over a store that misbehaves; the program is `scripts/soak`."""
