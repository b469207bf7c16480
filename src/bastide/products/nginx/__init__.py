"""nginx: the web servers' listener, and the application servers' listener."""
