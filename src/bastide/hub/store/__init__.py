"""Logs and events on disk: `lines` (how one is written), `journal` (what is not packed yet), `index` (SQLite),
`archive` (all of it together), `search`, `retention`."""
