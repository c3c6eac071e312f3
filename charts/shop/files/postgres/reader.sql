-- The role that reads all databases and writes none: for `make invariants`.
SET client_min_messages = warning; -- an upgrade grants it again
GRANT pg_read_all_data TO invariants;
ALTER ROLE invariants SET default_transaction_read_only = on;
ALTER ROLE invariants CONNECTION LIMIT 10;
SELECT format('GRANT CONNECT ON DATABASE %I TO invariants', datname) FROM pg_database WHERE NOT datistemplate \gexec
