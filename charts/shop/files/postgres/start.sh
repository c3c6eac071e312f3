#!/bin/sh
# Starts Postgres. The data folder is made once; roles and databases are made and given their passwords before anybody is
# let in: one of each for every folder in /roles, named after it. Works in the Debian package and in the official image.
set -eu

export PGDATA=/data/17 PGHOST=/run/postgresql PGUSER=postgres
settings="-c config_file=/etc/shop/postgresql.conf"

if [ ! -d "$PGDATA" ]; then
	rm -rf "$PGDATA.making" # of an earlier start that was cut off
	initdb --pgdata="$PGDATA.making" --username=postgres --auth=reject --encoding=UTF8 --locale=C \
		--locale-provider=builtin --builtin-locale=C.UTF-8 --data-checksums --no-instructions
	mv "$PGDATA.making" "$PGDATA"
fi

rm -f "$PGDATA/postmaster.pid" # a pod that was killed leaves it, and its process id may be another's by now
pg_ctl start --silent --wait --timeout=120 --options="$settings -c listen_addresses=''"
for folder in /roles/*/; do
	ROLE=$(basename "$folder") psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --file=/etc/shop/role.sql
done
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --file=/etc/shop/reader.sql
pg_ctl stop --silent --wait --mode=fast

# shellcheck disable=SC2086 # two words
exec postgres $settings
