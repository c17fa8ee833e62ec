"""Documentation; parts of it are generated."""
