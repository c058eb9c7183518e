-- The last replay of a message. One that was refused and could then be applied has answer 'AA'; its reason still says
-- what was wrong.
ALTER TABLE hl7_messages
  ADD COLUMN replayed_by   text,
  ADD COLUMN replay_reason text,
  ADD COLUMN replayed_at   timestamptz,
  ADD CONSTRAINT hl7_messages_replayed_check
    CHECK ((replayed_at IS NULL) = (replayed_by IS NULL) AND (replayed_at IS NULL) = (replay_reason IS NULL));
