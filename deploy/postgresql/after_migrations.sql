-- Once the tables stand: the program may read where the migrations are, not rewrite it.
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM schoolhouse;
