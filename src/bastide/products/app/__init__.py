"""The application: the user's code as a sandboxed unit."""
