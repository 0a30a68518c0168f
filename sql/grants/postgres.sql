-- What a sync may do in PostgreSQL: read the source tables, and do everything in its own schema.
--
-- Run once, as an owner of the database. Replace the names before:
--   iterable_sync   the role of the Airflow connection, and the schema that keeps its state
--   warehouse       the database
--   analytics       the schema of the tables that models read; repeat its block for others
--   loader          the role that creates those tables

CREATE ROLE iterable_sync LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT;
-- Set its password apart, so that it stands in no file: \password iterable_sync

-- Stages are temporary tables.
GRANT CONNECT, TEMPORARY ON DATABASE warehouse TO iterable_sync;

-- State: made here, so that the role need not be able to create schemas.
CREATE SCHEMA iterable_sync AUTHORIZATION iterable_sync;

-- Sources: read, and nothing else. This is what keeps a model from writing.
GRANT USAGE ON SCHEMA analytics TO iterable_sync;
GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO iterable_sync;
ALTER DEFAULT PRIVILEGES FOR ROLE loader IN SCHEMA analytics
    GRANT SELECT ON TABLES TO iterable_sync;

-- By this two connections are known to lead to the same database. PostgreSQL lets everybody call
-- it; where it is withheld, warehouse and state under different connection strings are copied.
GRANT EXECUTE ON FUNCTION pg_control_system() TO iterable_sync;
