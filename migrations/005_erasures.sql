-- Who was erased, so that no record that is read again brings them back: the INSERT into users asks this table.

-- Up Migration
CREATE TABLE erasures (
  email_sha256 BYTEA PRIMARY KEY, -- of the canonical email
  erased_at TIMESTAMPTZ NOT NULL,
  event_ids TEXT[] NOT NULL, -- of registrations that were on their way
  requested_by TEXT NOT NULL,
  email TEXT, -- until no cache can bring it back
  swept_at TIMESTAMPTZ -- when Redis was last cleaned; NULL: not yet
);
CREATE INDEX idx_erasures_with_email ON erasures (erased_at) WHERE email IS NOT NULL;
CREATE INDEX idx_erasures_erased_at ON erasures (erased_at);

-- Down Migration
DROP TABLE erasures;
