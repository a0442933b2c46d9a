"""A first spec from what a data file shows: facts about columns, proposals from them, YAML text."""
