"""What `report` compares and tries."""
