"""Students and their guardians."""
