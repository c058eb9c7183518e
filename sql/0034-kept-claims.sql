ALTER TABLE dicom_studies
  -- The studies of the RIS that a DICOM study claimed in review or contested, or was taken away from, when its images were
  -- deleted, modified or sent again: whose images their reports are of is then not known, until each has images or a person
  -- says so.
  ADD COLUMN kept_claims bigint[] NOT NULL DEFAULT '{}',
  -- What a person had decided of it when the last of its images was deleted: that stands again when it has images again.
  ADD COLUMN kept_decision jsonb;
CREATE INDEX dicom_studies_kept_claims ON dicom_studies USING gin (kept_claims) WHERE kept_claims <> '{}';
