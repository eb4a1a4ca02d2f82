"""Codebook and labels to bytes and back, without loss; FORMAT.md is the specification."""
