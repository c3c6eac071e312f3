-- A service's role and the database that it owns. Nobody else may connect to it (see pg_hba.conf too).
\getenv role ROLE
\set password `cat /roles/"$ROLE"/PASSWORD`
SELECT format('CREATE ROLE %I LOGIN', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'role', :'role')
WHERE :'role' <> 'invariants' AND NOT EXISTS (SELECT FROM pg_database WHERE datname = :'role') \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', datname) FROM pg_database WHERE datname = :'role' \gexec
