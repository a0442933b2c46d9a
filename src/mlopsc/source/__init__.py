"""Text with places: reads YAML into plain data that remembers where each value stands."""
