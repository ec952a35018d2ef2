#!/bin/sh
# Counts the words of this script in PostgreSQL, keeps the most frequent in Redis, and reads both again.
set -e
tr -cs '[:alpha:]' '\n' <"$0" | grep . | while read -r word; do
  echo "INSERT INTO words VALUES ('$word', 1) ON CONFLICT (word) DO UPDATE SET seen = words.seen + 1;"
done | psql --quiet --set=ON_ERROR_STOP=1 --single-transaction
top=$(psql --tuples-only --no-align --command="SELECT word FROM words ORDER BY seen DESC, word LIMIT 1")
[ "$(redis-cli -h "$REDIS_HOST" SET top "$top")" = OK ]
[ "$(redis-cli -h "$REDIS_HOST" GET top)" = "$top" ]
echo "$(psql --tuples-only --no-align --command="SELECT count(*) FROM words") words, the most frequent is $top"
