-- Roles and database. May be run again at any time; run by psql as PostgreSQL's superuser.
--   schoolhouse_owner    owns the tables; only migrations use it
--   schoolhouse          the program: reads and writes rows, cannot change tables or see past
--                        row-level security
--   schoolhouse_backup   reads everything, of every school; changes nothing
--   schoolhouse_monitor  reads statistics, no rows
-- None has a password: each is reached through the local socket by the system user of its name.
\set QUIET on
SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY['schoolhouse_owner', 'schoolhouse', 'schoolhouse_backup', 'schoolhouse_monitor']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE schoolhouse_owner   LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL;
ALTER ROLE schoolhouse         LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL;
ALTER ROLE schoolhouse_backup  LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION BYPASSRLS   PASSWORD NULL;
ALTER ROLE schoolhouse_monitor LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL;
ALTER ROLE schoolhouse_backup SET default_transaction_read_only = on;
GRANT pg_read_all_data TO schoolhouse_backup;
GRANT pg_monitor TO schoolhouse_monitor;

SELECT 'CREATE DATABASE schoolhouse OWNER schoolhouse_owner ENCODING ''UTF8'' TEMPLATE template0'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'schoolhouse') \gexec
REVOKE ALL ON DATABASE schoolhouse FROM PUBLIC;
GRANT CONNECT ON DATABASE schoolhouse TO schoolhouse, schoolhouse_backup, schoolhouse_monitor;

\connect schoolhouse
ALTER SCHEMA public OWNER TO schoolhouse_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO schoolhouse, schoolhouse_backup, schoolhouse_monitor;
ALTER DEFAULT PRIVILEGES FOR ROLE schoolhouse_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO schoolhouse;
ALTER DEFAULT PRIVILEGES FOR ROLE schoolhouse_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO schoolhouse;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO schoolhouse;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO schoolhouse;
