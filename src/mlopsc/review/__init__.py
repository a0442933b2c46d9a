"""What a compile means to a person: why a line is there, and what a key does."""
