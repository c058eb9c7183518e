-- The accession numbers that a tag and the series of a study name, as they are compared. Several values of one tag are
-- parted by a backslash (PS3.5, 6.4).
CREATE FUNCTION accession_keys_of(own text, requested text[]) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
  SELECT ARRAY(
    SELECT DISTINCT key FROM unnest(requested || own) AS one, regexp_split_to_table(one, '[\s^]*\\[\s^]*') AS key
    WHERE key <> '' ORDER BY key)
$$;

ALTER TABLE dicom_study_tags
  -- Which programs sent the instances of an Orthanc study (Orthanc's metadata RemoteAET); '': one that names none. Null
  -- where the version before took them.
  ADD COLUMN calling_ae_titles text[],
  -- What the Request Attributes Sequence (0040,0275) of its series names, each different one once.
  ADD COLUMN requested_keys text[],
  ADD COLUMN accession_keys text[] NOT NULL GENERATED ALWAYS AS (accession_keys_of(accession_key, requested_keys)) STORED;
CREATE INDEX dicom_study_tags_accessions ON dicom_study_tags USING gin (accession_keys);

-- Which studies a DICOM study belongs to: one, or all whose accession numbers it names itself. The study of its own
-- where it is not linked. `study_id` of dicom_studies and series is the first of them.
CREATE TABLE dicom_study_links (
  dicom_study_id bigint NOT NULL REFERENCES dicom_studies (id),
  study_id       bigint NOT NULL REFERENCES studies (id),
  PRIMARY KEY (dicom_study_id, study_id)
);
INSERT INTO dicom_study_links (dicom_study_id, study_id)
SELECT id, study_id FROM dicom_studies WHERE study_id IS NOT NULL ORDER BY id;
CREATE INDEX dicom_study_links_study ON dicom_study_links (study_id);

-- Whoever moves a DICOM study, the version before too, moves its links. What it is linked to besides is added after.
CREATE FUNCTION follow_study_link() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM dicom_study_links WHERE dicom_study_id = NEW.id AND study_id IS DISTINCT FROM NEW.study_id;
  IF NEW.study_id IS NOT NULL THEN
    INSERT INTO dicom_study_links (dicom_study_id, study_id) VALUES (NEW.id, NEW.study_id) ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER dicom_studies_link_follows AFTER INSERT OR UPDATE OF study_id ON dicom_studies
  FOR EACH ROW EXECUTE FUNCTION follow_study_link();
