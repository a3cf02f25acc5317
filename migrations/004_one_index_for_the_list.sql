-- With both indexes PostgreSQL may read the one on created_at alone and sort its ties, all of them for every page: after
-- an import with one time for 100,000 rows a page would cost that many. The wider index serves whatever the other did,
-- and takes over its name.

-- Up Migration
DROP INDEX idx_users_created_at;
ALTER INDEX idx_users_created_at_id RENAME TO idx_users_created_at;

-- Down Migration
ALTER INDEX idx_users_created_at RENAME TO idx_users_created_at_id;
CREATE INDEX idx_users_created_at ON users(created_at);
