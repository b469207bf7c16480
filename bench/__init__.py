"""Figures of Bastide, measured: each with the command that gives it."""
