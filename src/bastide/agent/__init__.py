"""The agent that runs on every host: counts requests exactly, ships live frames, logs and events. See ARCHITECTURE.md."""
