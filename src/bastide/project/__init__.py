"""A project on disk: its spec, its state, and where it runs."""
