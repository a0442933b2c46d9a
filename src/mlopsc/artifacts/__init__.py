"""Files before they are written: drafts as data, the only writers, and where each line is from."""
