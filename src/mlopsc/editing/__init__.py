"""Edits of a spec's text: its form, and from one version of the language to the next."""
