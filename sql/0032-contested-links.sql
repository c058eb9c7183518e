-- What a person was shown who linked a DICOM study, and in what it is contested since: what was said or sent later
-- contradicts it. `shown` is null where nobody was shown both sides: such a link is listed, not hidden.
ALTER TABLE dicom_studies
  ADD COLUMN shown jsonb,
  ADD COLUMN contested text,
  ADD COLUMN contested_at timestamptz;
CREATE INDEX dicom_studies_contested ON dicom_studies (contested_at) WHERE contested IS NOT NULL;
CREATE INDEX dicom_studies_persons ON dicom_studies (id) WHERE decided_by <> 'rules';
