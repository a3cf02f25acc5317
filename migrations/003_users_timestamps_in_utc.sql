-- TIMESTAMP carries no zone and CURRENT_TIMESTAMP is turned into the session's local time.
-- With this default a row holds UTC whatever zone the server, the database or the session is set to.

-- Up Migration
ALTER TABLE users
  ALTER COLUMN created_at SET DEFAULT (now() AT TIME ZONE 'UTC'),
  ALTER COLUMN updated_at SET DEFAULT (now() AT TIME ZONE 'UTC');

-- Down Migration
ALTER TABLE users
  ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP,
  ALTER COLUMN updated_at SET DEFAULT CURRENT_TIMESTAMP;
