-- When an erasure was recorded: after a restore that is long after erased_at.

-- Up Migration
ALTER TABLE erasures ADD COLUMN recorded_at TIMESTAMPTZ NOT NULL DEFAULT now();
CREATE INDEX idx_erasures_recorded_at ON erasures (recorded_at);
CREATE INDEX idx_erasures_recorded_with_email ON erasures (recorded_at) WHERE email IS NOT NULL;
DROP INDEX idx_erasures_with_email, idx_erasures_erased_at;

-- Down Migration
CREATE INDEX idx_erasures_with_email ON erasures (erased_at) WHERE email IS NOT NULL;
CREATE INDEX idx_erasures_erased_at ON erasures (erased_at);
ALTER TABLE erasures DROP COLUMN recorded_at;
