"""An infrastructure in prose. See ARCHITECTURE.md."""
