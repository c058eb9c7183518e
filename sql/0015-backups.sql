-- Backups that were verified: max(finished_at) is when the last good one ended. One that failed has a row in `failures`.
CREATE TABLE backups (
  snapshot    text PRIMARY KEY,                        -- restic's id
  taken_at    timestamptz NOT NULL,                    -- when its dump was begun: nothing later is promised to be in it
  finished_at timestamptz NOT NULL,                    -- when it was verified
  bytes       bigint NOT NULL,                         -- of all files, before deduplication
  files       bigint NOT NULL
);
CREATE INDEX backups_finished ON backups (finished_at);

-- When this database was put back from a backup. What was done between the two moments is not known to it: a text is
-- looked for at Twilio from taken_at on before it is sent.
CREATE TABLE restores (
  snapshot    text NOT NULL,
  taken_at    timestamptz NOT NULL,
  restored_at timestamptz NOT NULL PRIMARY KEY
);

-- When a message's text was emptied because it was old enough (RETAIN_HL7_DAYS).
ALTER TABLE hl7_messages
  ADD COLUMN forgotten_at timestamptz,
  ADD CONSTRAINT hl7_messages_forgotten_check CHECK (forgotten_at IS NULL OR (raw = '' AND answer = 'AA'));
CREATE INDEX hl7_messages_whole ON hl7_messages (received_at) WHERE answer = 'AA' AND forgotten_at IS NULL;
