"""Drills: break a part of the running system under load, count what clients were told, put it back, prove that."""
