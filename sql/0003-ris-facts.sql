-- What each HL7 message said, kept apart from what follows of it: the RIS rows of `patients` and `studies` are a fold of
-- these in the order of `said_at`, so that the order of arrival does not count and a message can be replayed.
-- said_at: MSH-7, or when the message came if that is earlier or MSH-7 says nothing; ties: the order of arrival.

CREATE TABLE patient_facts (
  hl7_message_id bigint NOT NULL REFERENCES hl7_messages (id),
  ordinal        integer NOT NULL,
  patient_id     bigint NOT NULL REFERENCES patients (id),
  said_at        timestamptz NOT NULL,
  facts          jsonb NOT NULL,                       -- a key that is not there was not said, null deletes
  PRIMARY KEY (hl7_message_id, ordinal)
);
CREATE INDEX patient_facts_patient ON patient_facts (patient_id);

CREATE TABLE patient_merges (
  hl7_message_id bigint NOT NULL REFERENCES hl7_messages (id),
  ordinal        integer NOT NULL,
  prior_id       bigint NOT NULL REFERENCES patients (id),
  survivor_id    bigint NOT NULL REFERENCES patients (id),
  said_at        timestamptz NOT NULL,
  PRIMARY KEY (hl7_message_id, ordinal)
);
CREATE INDEX patient_merges_prior ON patient_merges (prior_id);
CREATE INDEX patient_merges_survivor ON patient_merges (survivor_id);

CREATE TABLE study_facts (
  hl7_message_id bigint NOT NULL REFERENCES hl7_messages (id),
  ordinal        integer NOT NULL,
  accession_key  text NOT NULL,
  patient_id     bigint NOT NULL REFERENCES patients (id),
  said_at        timestamptz NOT NULL,
  kind           text NOT NULL CHECK (kind IN ('order', 'report')),
  order_status   text,
  facts          jsonb NOT NULL,
  PRIMARY KEY (hl7_message_id, ordinal)
);
CREATE INDEX study_facts_accession ON study_facts (accession_key);
CREATE INDEX study_facts_patient ON study_facts (patient_id);

ALTER TABLE reports
  ADD COLUMN said_at timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN patient_id bigint REFERENCES patients (id),  -- whom the report names
  ADD COLUMN withheld text;                               -- why it must not be shown: another patient's than the study's
ALTER TABLE reports ALTER COLUMN said_at DROP DEFAULT, ALTER COLUMN patient_id SET NOT NULL;
CREATE INDEX reports_message ON reports (hl7_message_id);
CREATE INDEX reports_withheld ON reports (study_id) WHERE withheld IS NOT NULL;

-- One row for each identifier as it was sent; merged_into leads to the one whose studies they are.
DROP INDEX patients_ris_identity;
CREATE UNIQUE INDEX patients_ris_identity ON patients (upper(external_id), upper(coalesce(issuer, ''))) WHERE source = 'ris';
