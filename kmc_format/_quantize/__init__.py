"""Pixels to codebook and labels: all that loses anything."""
