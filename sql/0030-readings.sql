-- What was understood of each message: which field gave which value, and what was odd. Emptied with the message itself.
ALTER TABLE hl7_messages ADD COLUMN reading jsonb;

-- An order that a person took back: what it said counts no more. Said again later, it stands again.
ALTER TABLE study_facts
  ADD COLUMN withdrawn_at    timestamptz,
  ADD COLUMN withdrawn_by    text,
  ADD COLUMN withdraw_reason text;
CREATE INDEX study_facts_withdrawn ON study_facts (accession_key) WHERE withdrawn_at IS NOT NULL;
