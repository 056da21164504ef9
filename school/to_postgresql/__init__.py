"""From SQLite to PostgreSQL: the composition of the upgrade engine with our tables and settings."""
