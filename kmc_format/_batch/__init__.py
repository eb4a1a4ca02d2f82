"""What `batch` does with each file."""
