-- What matching sees of a DICOM study: what its instances say of themselves. Orthanc keeps a study's tags as its first instance
-- had them, so that these alone depend on the order in which instances came.
CREATE TABLE seen_tags (
  orthanc_id          text NOT NULL REFERENCES dicom_study_tags (orthanc_id) ON DELETE CASCADE,
  said_key            text NOT NULL,                     -- a hash of all that is said: images.said_key; '' as Orthanc keeps it
  accession_key       text NOT NULL,                     -- a row for each accession number that is said, '' for none
  accession_number    text NOT NULL,
  dicom_study_id      bigint NOT NULL REFERENCES dicom_studies (id),
  patient_id          text NOT NULL,
  issuer              text NOT NULL,
  patient_name        text NOT NULL,
  patient_birth_date  date,
  patient_sex         text NOT NULL,
  study_date          date,
  study_description   text NOT NULL,
  PRIMARY KEY (orthanc_id, said_key, accession_key)
);
CREATE INDEX seen_tags_study ON seen_tags (dicom_study_id);
CREATE INDEX seen_tags_accession ON seen_tags (accession_key) WHERE accession_key <> '';
CREATE INDEX seen_tags_patient ON seen_tags (upper(patient_id)) WHERE patient_id <> '';
CREATE INDEX seen_tags_birth_date ON seen_tags (patient_birth_date, study_date);

-- All its images say it themselves: what Orthanc keeps of the first counts for nothing.
ALTER TABLE dicom_study_tags ADD COLUMN said boolean NOT NULL DEFAULT false;

-- The accession numbers that Orthanc keeps of a study, '' for none; of several that are parted by a backslash each.
CREATE FUNCTION unsaid_accessions(keys text[], first_key text, first_number text, OUT accession_key text, OUT accession_number text)
RETURNS SETOF record
LANGUAGE sql STABLE AS $$
  SELECT key, CASE WHEN key = first_key THEN first_number ELSE key END
  FROM unnest(CASE keys WHEN '{}' THEN '{""}' ELSE keys END) AS key
$$;

-- What Orthanc keeps is seen for as long as it counts, whichever version of the program writes it.
CREATE FUNCTION see_unsaid_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM seen_tags WHERE orthanc_id = NEW.orthanc_id AND said_key = '';
  END IF;
  IF NOT NEW.said THEN
    INSERT INTO seen_tags (orthanc_id, said_key, accession_key, accession_number, dicom_study_id, patient_id, issuer,
                           patient_name, patient_birth_date, patient_sex, study_date, study_description)
    SELECT NEW.orthanc_id, '', n.accession_key, n.accession_number, NEW.dicom_study_id, NEW.patient_id, NEW.issuer,
           NEW.patient_name, NEW.patient_birth_date, NEW.patient_sex, NEW.study_date, NEW.study_description
    FROM unsaid_accessions(NEW.accession_keys, NEW.accession_key, NEW.accession_number) AS n;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER dicom_study_tags_seen AFTER INSERT OR UPDATE ON dicom_study_tags
  FOR EACH ROW EXECUTE FUNCTION see_unsaid_tags();
INSERT INTO seen_tags (orthanc_id, said_key, accession_key, accession_number, dicom_study_id, patient_id, issuer,
                       patient_name, patient_birth_date, patient_sex, study_date, study_description)
SELECT t.orthanc_id, '', n.accession_key, n.accession_number, t.dicom_study_id, t.patient_id, t.issuer, t.patient_name,
       t.patient_birth_date, t.patient_sex, t.study_date, t.study_description
FROM dicom_study_tags t CROSS JOIN LATERAL unsaid_accessions(t.accession_keys, t.accession_key, t.accession_number) AS n;

ALTER TABLE images
  ADD COLUMN file_uuid  text,                            -- Orthanc's name of the file: another one was stored anew
  ADD COLUMN said_key   text,                            -- null: not known what it says itself
  ADD COLUMN resent_key text;                            -- a hash of what Orthanc was told of files that came again
CREATE INDEX images_unsaid ON images (series_id) WHERE said_key IS NULL;

-- Files that came again under the identifiers of an image and were not the same.
CREATE TABLE image_differences (
  orthanc_id text PRIMARY KEY REFERENCES images (orthanc_id) ON DELETE CASCADE,
  fields     text[] NOT NULL,                            -- in what: DICOM keywords, or 'file'
  noted_at   timestamptz NOT NULL,
  seen_by    text,                                       -- a person who decided about the study since
  seen_at    timestamptz,
  CHECK ((seen_by IS NULL) = (seen_at IS NULL))
);
CREATE INDEX image_differences_unseen ON image_differences (noted_at) WHERE seen_at IS NULL;
