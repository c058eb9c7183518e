-- What a text was planned for, which studies it tells of, and what persons decided about it.

ALTER TABLE sms_messages
  ADD COLUMN patient_id         bigint,                -- whose study it was when the text was planned
  ADD COLUMN report_id          bigint,                -- the version that the text is planned for
  ADD COLUMN shown_at           timestamptz,           -- since when the patient could see that
  ADD COLUMN approved_report_id bigint,                -- a person has the text of this version sent in spite of the rules
  ADD COLUMN approved_by        text,
  ADD COLUMN former_sids        text[] NOT NULL DEFAULT '{}', -- of texts before it: a person had it sent again
  ADD COLUMN attention          text,                  -- what a person must see of a text that was sent
  ADD COLUMN attention_since    timestamptz,
  ADD COLUMN done_at            timestamptz,           -- a person has seen to it
  ADD COLUMN done_by            text,
  ADD COLUMN done_why           text,
  ADD COLUMN done_patient_id    bigint,                -- whose study it was then
  ADD CONSTRAINT sms_messages_attention_check CHECK ((attention IS NULL) = (attention_since IS NULL)),
  ADD CONSTRAINT sms_messages_done_check
    CHECK ((done_at IS NULL) = (done_by IS NULL) AND (done_at IS NULL) = (done_why IS NULL));
UPDATE sms_messages m SET patient_id = s.patient_id FROM studies s WHERE s.id = m.study_id;
CREATE INDEX sms_messages_attention ON sms_messages (attention_since) WHERE attention IS NOT NULL;

-- Which text tells of which studies: of a study one text at most tells.
CREATE TABLE sms_studies (
  study_id bigint PRIMARY KEY REFERENCES studies (id) ON DELETE CASCADE,
  sms_id   bigint NOT NULL REFERENCES sms_messages (id) ON DELETE CASCADE
);
CREATE INDEX sms_studies_sms ON sms_studies (sms_id);
INSERT INTO sms_studies (study_id, sms_id) SELECT study_id, id FROM sms_messages;

-- Whoever makes a text or moves it, the version before too, has it tell of its study; one that waits gives way.
CREATE FUNCTION follow_text_study() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.study_id = OLD.study_id THEN RETURN NULL; END IF;
    DELETE FROM sms_studies WHERE study_id = OLD.study_id AND sms_id = NEW.id;
  END IF;
  INSERT INTO sms_studies AS t (study_id, sms_id) VALUES (NEW.study_id, NEW.id)
  ON CONFLICT (study_id) DO UPDATE SET sms_id = EXCLUDED.sms_id
    WHERE EXISTS (SELECT FROM sms_messages m WHERE m.id = t.sms_id AND m.state IN ('held', 'queued'));
  RETURN NULL;
END $$;
CREATE TRIGGER sms_messages_study_follows AFTER INSERT OR UPDATE OF study_id ON sms_messages
  FOR EACH ROW EXECUTE FUNCTION follow_text_study();
