-- Whose rows an erasure has deleted, until the readers of the events topic know.

-- Up Migration
ALTER TABLE erasures
  ADD COLUMN user_ids BIGINT[] NOT NULL DEFAULT '{}', -- of deleted rows; {} when they were announced for the last time
  ADD COLUMN announcements INTEGER NOT NULL DEFAULT 0, -- how often they were, since the last erasure
  ADD COLUMN announce_at TIMESTAMPTZ NOT NULL DEFAULT now(); -- when they are next
CREATE INDEX idx_erasures_announce_at ON erasures (announce_at) WHERE user_ids <> '{}';

-- Down Migration
ALTER TABLE erasures DROP COLUMN user_ids, DROP COLUMN announcements, DROP COLUMN announce_at;
