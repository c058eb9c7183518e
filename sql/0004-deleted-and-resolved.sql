-- What is no longer in Orthanc. A DICOM study of which nothing is left there belongs to no study; it comes back to life
-- when it is sent again.
ALTER TABLE dicom_studies DROP CONSTRAINT dicom_studies_status_check;
ALTER TABLE dicom_studies
  ADD CONSTRAINT dicom_studies_status_check CHECK (status IN ('linked', 'provisional', 'review', 'deleted')),
  ADD CONSTRAINT dicom_studies_deleted_check CHECK (status <> 'deleted' OR (study_id IS NULL AND candidate_ids = '{}'));
ALTER TABLE link_decisions ALTER COLUMN study_id DROP NOT NULL;
ALTER TABLE link_decisions
  ADD CONSTRAINT link_decisions_study_check CHECK ((status = 'deleted') = (study_id IS NULL));

-- Which of the Orthanc studies of its DICOM study a series is of.
ALTER TABLE series ADD COLUMN orthanc_study_id text;
UPDATE series s SET orthanc_study_id =
  (SELECT min(t.orthanc_id) FROM dicom_study_tags t WHERE t.dicom_study_id = s.dicom_study_id);
ALTER TABLE series ALTER COLUMN orthanc_study_id SET NOT NULL;
CREATE INDEX series_orthanc_study ON series (orthanc_study_id);

CREATE TABLE deleted_images (
  id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  orthanc_id          text NOT NULL,                   -- may be there again, when it was sent again
  sop_instance_uid    text NOT NULL,
  series_instance_uid text NOT NULL,
  study_instance_uid  text NOT NULL,
  image_url           text,                            -- where its blobs are, or were
  thumbnail_url       text,
  deleted_at          timestamptz NOT NULL,            -- when that was noticed
  blobs_removed_at    timestamptz
);
CREATE INDEX deleted_images_orthanc ON deleted_images (orthanc_id);
CREATE INDEX deleted_images_study ON deleted_images (study_instance_uid);
