"""The only room that touches the disk: reading specs, planning against the work tree, applying."""
