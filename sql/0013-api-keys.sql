-- Keys and client certificates that `axis api-key` and `axis certificate` let in, each for one thing. Of a key only its
-- SHA-256 is kept, of a certificate its SHA-256 fingerprint. One that is withdrawn stays, for whoever asks later.
CREATE TABLE api_keys (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name         text NOT NULL CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$'),
  kind         text NOT NULL CHECK (kind IN ('key', 'certificate')),
  scope        text NOT NULL CHECK (scope IN ('upload', 'operator')),
  sha256       text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  created_at   timestamptz NOT NULL,
  withdrawn_at timestamptz,
  last_used_at timestamptz
);
CREATE UNIQUE INDEX api_keys_name_key ON api_keys (name) WHERE withdrawn_at IS NULL;
CREATE UNIQUE INDEX api_keys_sha256_key ON api_keys (sha256) WHERE withdrawn_at IS NULL;
