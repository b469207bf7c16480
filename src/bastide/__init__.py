"""One YAML file becomes a complete, secured, monitored web infrastructure."""

__version__ = "0.1.0"
