"""Payload bytes on this machine, and the proof that they are the recorded ones. Knows objects by sha, no tables."""
