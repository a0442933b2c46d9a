"""What a spec means: names followed, defaults filled, every node with the path it came from."""
