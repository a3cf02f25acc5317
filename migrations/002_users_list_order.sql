-- The list is ordered by created_at DESC, id DESC: one index serves the order, ties included.

-- Up Migration
CREATE INDEX idx_users_created_at_id ON users(created_at DESC, id DESC);

-- Down Migration
DROP INDEX idx_users_created_at_id;
