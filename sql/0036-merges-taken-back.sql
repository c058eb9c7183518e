-- What else is said of two identifiers beside that one was merged into the other. The release before reads rows of one that
-- was told apart (a patient into itself) as nothing, and several numbers of one message as a merge.
ALTER TABLE patient_merges
  ADD COLUMN of_identifiers boolean NOT NULL DEFAULT false,    -- both were PID-3 of one message: one patient's numbers
  ADD COLUMN apart_from_id bigint REFERENCES patients (id),    -- prior_id, which is survivor_id too, is not this one (A37)
  ADD COLUMN withdrawn_at timestamptz,                         -- a person took it back
  ADD COLUMN withdrawn_by text,
  ADD COLUMN withdraw_reason text;
CREATE INDEX patient_merges_apart ON patient_merges (apart_from_id) WHERE apart_from_id IS NOT NULL;
