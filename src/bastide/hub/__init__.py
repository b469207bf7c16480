"""What runs on a monitor: live figures, logs and events, the dashboard's API. See ARCHITECTURE.md."""
