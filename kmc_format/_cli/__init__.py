"""What the commands of `cli` have in common: options, streams, and text for people."""
