-- What the RIS told and what Orthanc holds. A row of `studies` is either a RIS study (source 'ris', known by its
-- accession number) or the study of its own that a DICOM study has while it is provisional or in review (source 'dicom').

CREATE TABLE patients (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source        text NOT NULL CHECK (source IN ('ris', 'dicom')),
  external_id   text,                                  -- Patient ID (PID-3; 0010,0020)
  issuer        text,                                  -- assigning authority (PID-3.4; 0010,0021)
  name          text,                                  -- as a DICOM PN, component groups parted by '='
  birth_date    date,
  sex           text,
  phone_number  text CHECK (phone_number LIKE '+%'),   -- E.164
  phone_problem text,                                  -- why there is no number that takes a text
  merged_into   bigint REFERENCES patients (id),       -- ADT^A40: always the end of the chain
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now(),
  CHECK (source = 'dicom' OR external_id IS NOT NULL)
);
CREATE UNIQUE INDEX patients_ris_identity ON patients (upper(external_id), upper(coalesce(issuer, ''))) WHERE source = 'ris';
CREATE INDEX patients_birth_date ON patients (birth_date) WHERE source = 'ris';
CREATE INDEX patients_merged_into ON patients (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE studies (
  id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  patient_id            bigint NOT NULL REFERENCES patients (id),
  source                text NOT NULL CHECK (source IN ('ris', 'dicom')),
  accession_number      text UNIQUE,                   -- as the RIS writes it
  accession_key         text UNIQUE,                   -- as it is compared: core/accession.ts
  external_id           text,                          -- filler order number, else placer order number
  placer_order_number   text,
  filler_order_number   text,
  study_instance_uid    text,                          -- 'ris': announced by the RIS; 'dicom': the DICOM study's own
  modality              text,
  procedure_code        text,
  procedure_description text,
  scheduled_at          timestamptz,
  study_date            date,                          -- of scheduled_at in the practice's zone; 'dicom': StudyDate
  order_status          text NOT NULL DEFAULT 'none' CHECK (order_status IN ('none', 'active', 'held', 'cancelled', 'completed')),
  created_at            timestamptz NOT NULL DEFAULT now(),
  updated_at            timestamptz NOT NULL DEFAULT now(),
  CHECK ((source = 'ris') = (accession_key IS NOT NULL)),
  CHECK ((accession_number IS NULL) = (accession_key IS NULL)),
  CHECK (source = 'ris' OR study_instance_uid IS NOT NULL)
);
CREATE UNIQUE INDEX studies_dicom_own ON studies (study_instance_uid) WHERE source = 'dicom';
CREATE INDEX studies_announced_uid ON studies (study_instance_uid) WHERE source = 'ris' AND study_instance_uid IS NOT NULL;
CREATE INDEX studies_patient_date ON studies (patient_id, study_date);
CREATE INDEX studies_date ON studies (study_date) WHERE source = 'ris';

-- One decision for all that shares a StudyInstanceUID.
CREATE TABLE dicom_studies (
  id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  study_instance_uid text NOT NULL UNIQUE,
  modalities         text[] NOT NULL DEFAULT '{}',
  study_id           bigint REFERENCES studies (id),   -- null only inside the transaction that makes the row
  status             text CHECK (status IN ('linked', 'provisional', 'review')),
  rule               text,
  reason             text,
  candidate_ids      bigint[] NOT NULL DEFAULT '{}',   -- RIS studies that came into question
  decided_by         text,                             -- 'rules', or the person
  decided_at         timestamptz,
  first_seen_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE (id, study_id)
);
CREATE INDEX dicom_studies_study ON dicom_studies (study_id);
CREATE INDEX dicom_studies_candidates ON dicom_studies USING gin (candidate_ids);
CREATE INDEX dicom_studies_open ON dicom_studies (status, first_seen_at) WHERE status <> 'linked';

-- The tags that matching reads, per Orthanc study: Orthanc keeps one per Patient ID and StudyInstanceUID, so that two
-- patients under one StudyInstanceUID are seen as such.
CREATE TABLE dicom_study_tags (
  orthanc_id          text PRIMARY KEY,
  dicom_study_id      bigint NOT NULL REFERENCES dicom_studies (id),
  accession_number    text NOT NULL,
  accession_key       text NOT NULL,
  patient_id          text NOT NULL,
  issuer              text NOT NULL,
  patient_name        text NOT NULL,
  patient_birth_date  date,
  patient_sex         text NOT NULL,
  study_date          date,
  study_description   text NOT NULL
);
CREATE INDEX dicom_study_tags_study ON dicom_study_tags (dicom_study_id);
CREATE INDEX dicom_study_tags_accession ON dicom_study_tags (accession_key) WHERE accession_key <> '';
CREATE INDEX dicom_study_tags_patient ON dicom_study_tags (upper(patient_id)) WHERE patient_id <> '';
CREATE INDEX dicom_study_tags_birth_date ON dicom_study_tags (patient_birth_date, study_date);

-- Append-only: how each decision came about.
CREATE TABLE link_decisions (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  dicom_study_id bigint NOT NULL REFERENCES dicom_studies (id),
  study_id       bigint NOT NULL,                      -- no foreign key: a provisional study goes when it is adopted
  status         text NOT NULL,
  rule           text NOT NULL,
  reason         text,
  candidate_ids  bigint[] NOT NULL,
  tags           jsonb NOT NULL,
  decided_by     text NOT NULL,
  decided_at     timestamptz NOT NULL
);
CREATE INDEX link_decisions_study ON link_decisions (dicom_study_id, id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER link_decisions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON link_decisions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE series (
  id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  dicom_study_id      bigint NOT NULL,
  study_id            bigint NOT NULL REFERENCES studies (id),
  orthanc_id          text NOT NULL UNIQUE,
  series_instance_uid text NOT NULL,
  modality            text NOT NULL,
  description         text NOT NULL,
  created_at          timestamptz NOT NULL DEFAULT now(),
  -- A new decision moves every series with it: the database itself keeps a DICOM study in one piece.
  FOREIGN KEY (dicom_study_id, study_id) REFERENCES dicom_studies (id, study_id) ON UPDATE CASCADE
);
CREATE INDEX series_study ON series (study_id);
CREATE INDEX series_dicom_study ON series (dicom_study_id);
CREATE INDEX series_uid ON series (series_instance_uid);

CREATE TABLE images (
  id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  series_id           bigint NOT NULL REFERENCES series (id),
  orthanc_id          text NOT NULL UNIQUE,
  sop_instance_uid    text NOT NULL,
  sop_class_uid       text NOT NULL,
  transfer_syntax_uid text NOT NULL,
  instance_number     integer,
  number_of_frames    integer NOT NULL,
  image_url           text,
  thumbnail_url       text,
  mirror_status       text NOT NULL DEFAULT 'pending' CHECK (mirror_status IN ('pending', 'mirrored', 'no-pixels', 'failed')),
  mirror_reason       text,
  created_at          timestamptz NOT NULL DEFAULT now(),
  mirrored_at         timestamptz,
  CHECK ((mirror_status = 'mirrored') = (image_url IS NOT NULL AND thumbnail_url IS NOT NULL)),
  CHECK (mirror_status IN ('pending', 'mirrored') OR mirror_reason IS NOT NULL)
);
CREATE INDEX images_series ON images (series_id);
CREATE INDEX images_sop ON images (sop_instance_uid);
CREATE INDEX images_unmirrored ON images (mirror_status, id) WHERE mirror_status IN ('pending', 'failed');

CREATE TABLE feed_cursor (
  only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  server_id  text NOT NULL,                            -- Orthanc's DatabaseServerIdentifier
  seq        bigint NOT NULL,
  updated_at timestamptz NOT NULL
);
