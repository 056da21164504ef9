-- Once the tables stand: the program may read where the migrations are, not rewrite it.
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM schoolhouse;
-- The audit is added to, never rewritten, whatever the program is talked into.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_event', 'platform_event'] LOOP
        IF to_regclass(name) IS NOT NULL THEN
            EXECUTE format('REVOKE UPDATE, DELETE ON %I FROM schoolhouse', name);
        END IF;
    END LOOP;
END $$;
