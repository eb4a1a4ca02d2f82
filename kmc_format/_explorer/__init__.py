"""What `explorer` shows and serves."""
