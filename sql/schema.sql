-- What the migrations of this folder add up to: the tables, their indexes, triggers and functions. For reading only:
-- nothing runs it. `npm run schema` writes it anew after a migration, and a test compares it. What a column means, its
-- migration says. The numbers 0007 and 0014 were never released. The job queue's own schema and the list of applied
-- migrations are left out.

CREATE OR REPLACE FUNCTION public.accession_keys_of(own text, requested text[])
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE
AS $function$
  SELECT ARRAY(
    SELECT DISTINCT key FROM unnest(requested || own) AS one, regexp_split_to_table(one, '[\s^]*\\[\s^]*') AS key
    WHERE key <> '' ORDER BY key)
$function$;

CREATE OR REPLACE FUNCTION public.audit_chain()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
  SELECT h.id + 1, h.hash INTO STRICT NEW.id, NEW.former FROM audit_head h FOR UPDATE;
  NEW.hash := sha256(NEW.former || convert_to(CAST(jsonb_build_array(
    NEW.id, to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), NEW.event, NEW.who, NEW.source, NEW.what,
    NEW.study_instance_uid, NEW.accession_number, NEW.hl7_message_id, NEW.outcome, NEW.detail) AS text), 'UTF8'));
  UPDATE audit_head SET id = NEW.id, hash = NEW.hash;
  RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION public.audit_forget_before(cutoff timestamp with time zone)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
DECLARE
  up_to     bigint;
  last_hash bytea;
  forgotten bigint;
BEGIN
  SELECT h.id INTO STRICT up_to FROM audit_head h FOR UPDATE;
  SELECT least(up_to, min(a.id) - 1) INTO up_to FROM audit_log a WHERE (a.at < cutoff) IS NOT TRUE;
  SELECT least(up_to, min(e.sent_id)) INTO up_to FROM audit_export e;
  SELECT count(*) INTO forgotten FROM audit_log a WHERE a.id <= up_to;
  IF forgotten = 0 THEN RETURN 0; END IF;
  SELECT a.hash INTO STRICT last_hash FROM audit_log a WHERE a.id = up_to;
  INSERT INTO audit_log (at, event, who, source, what, outcome, detail)
  VALUES (clock_timestamp(), 'audit-forgotten', session_user, coalesce(host(inet_client_addr()), ''), 'retention', 'ok',
          jsonb_build_object('rows', forgotten, 'upTo', up_to, 'hash', encode(last_hash, 'hex'),
                             'before', to_char(cutoff AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')));
  DELETE FROM audit_log a WHERE a.id <= up_to;
  RETURN forgotten;
END $function$;

CREATE OR REPLACE FUNCTION public.audit_opt_choice()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO audit_log (at, event, who, what, outcome, detail)
  VALUES (NEW.said_at, CASE WHEN NEW.opted_out THEN 'opt-out' ELSE 'opt-in' END, '', 'texts', 'ok',
          jsonb_build_object('choiceId', NEW.id, 'source', NEW.source));
  RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION public.audit_refuse_unsaid()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
  IF EXISTS (SELECT FROM gone WHERE gone.id > coalesce((
      SELECT max(CAST(f.detail ->> 'upTo' AS bigint)) FROM audit_log f
      WHERE f.event = 'audit-forgotten' AND f.xmin = CAST(pg_current_xact_id() AS xid)), 0)) THEN
    RAISE EXCEPTION 'audit_log is append-only';
  END IF;
  RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION public.audit_text_ended()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO audit_log (at, event, who, what, accession_number, outcome, detail)
  VALUES (NEW.updated_at, 'text-' || NEW.state, 'sidecar', NEW.kind,
          (SELECT s.accession_number FROM studies s WHERE s.id = NEW.study_id),
          CASE NEW.state WHEN 'sent' THEN 'ok' ELSE 'failed' END,
          jsonb_strip_nulls(jsonb_build_object('textId', NEW.id, 'twilioSid', NEW.twilio_sid, 'code', NEW.reason,
                                               'attempts', NEW.attempts)));
  RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION public.audit_text_held()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  -- What only waits for the practice, for a report or a decision, is in axis list. What the transaction itself has let go
  -- again was never held.
  IF NEW.reason LIKE 'report-%' OR NEW.reason IN ('study-in-review', 'images-taken-away') OR NOT EXISTS (SELECT FROM sms_messages m WHERE m.id = NEW.id AND m.state = NEW.state AND m.reason = NEW.reason) THEN
    RETURN NULL;
  END IF;
  INSERT INTO audit_log (at, event, who, what, accession_number, outcome, detail)
  VALUES (NEW.updated_at, 'text-' || NEW.state, 'sidecar', NEW.kind,
          (SELECT s.accession_number FROM studies s WHERE s.id = NEW.study_id),
          CASE NEW.state WHEN 'held' THEN 'refused' ELSE 'failed' END,
          jsonb_build_object('textId', NEW.id, 'code', NEW.reason));
  RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION public.follow_study_link()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  DELETE FROM dicom_study_links WHERE dicom_study_id = NEW.id AND study_id IS DISTINCT FROM NEW.study_id;
  IF NEW.study_id IS NOT NULL THEN
    INSERT INTO dicom_study_links (dicom_study_id, study_id) VALUES (NEW.id, NEW.study_id) ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION public.follow_text_study()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.study_id = OLD.study_id THEN RETURN NULL; END IF;
    DELETE FROM sms_studies WHERE study_id = OLD.study_id AND sms_id = NEW.id;
  END IF;
  INSERT INTO sms_studies AS t (study_id, sms_id) VALUES (NEW.study_id, NEW.id)
  ON CONFLICT (study_id) DO UPDATE SET sms_id = EXCLUDED.sms_id
    WHERE EXISTS (SELECT FROM sms_messages m WHERE m.id = t.sms_id AND m.state IN ('held', 'queued'));
  RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $function$;

CREATE OR REPLACE FUNCTION public.see_unsaid_tags()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
END $function$;

CREATE OR REPLACE FUNCTION public.unsaid_accessions(keys text[], first_key text, first_number text, OUT accession_key text, OUT accession_number text)
 RETURNS SETOF record
 LANGUAGE sql
 STABLE
AS $function$
  SELECT key, CASE WHEN key = first_key THEN first_number ELSE key END
  FROM unnest(CASE keys WHEN '{}' THEN '{""}' ELSE keys END) AS key
$function$;

CREATE TABLE patients (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  source text NOT NULL,
  external_id text,
  issuer text,
  name text,
  birth_date date,
  sex text,
  phone_number text,
  phone_problem text,
  merged_into bigint,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  updated_at timestamp with time zone DEFAULT now() NOT NULL,
  deceased boolean,
  reported_number text,
  CONSTRAINT patients_pkey PRIMARY KEY (id),
  CONSTRAINT patients_merged_into_fkey FOREIGN KEY (merged_into) REFERENCES patients(id),
  CONSTRAINT patients_check CHECK (source = 'dicom'::text OR external_id IS NOT NULL),
  CONSTRAINT patients_phone_number_check CHECK (phone_number ~~ '+%'::text),
  CONSTRAINT patients_source_check CHECK (source = ANY (ARRAY['ris'::text, 'dicom'::text]))
);
CREATE INDEX patients_birth_date ON patients USING btree (birth_date) WHERE source = 'ris'::text AND birth_date IS NOT NULL;
CREATE INDEX patients_merged_into ON patients USING btree (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX patients_phone_number ON patients USING btree (phone_number) WHERE phone_number IS NOT NULL;
CREATE UNIQUE INDEX patients_ris_identity ON patients USING btree (upper(external_id), upper(COALESCE(issuer, ''::text))) WHERE source = 'ris'::text AND external_id IS NOT NULL;

CREATE TABLE studies (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  patient_id bigint NOT NULL,
  source text NOT NULL,
  accession_number text,
  accession_key text,
  external_id text,
  placer_order_number text,
  filler_order_number text,
  study_instance_uid text,
  modality text,
  procedure_code text,
  procedure_description text,
  scheduled_at timestamp with time zone,
  study_date date,
  order_status text DEFAULT 'none'::text NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  updated_at timestamp with time zone DEFAULT now() NOT NULL,
  clash text,
  CONSTRAINT studies_pkey PRIMARY KEY (id),
  CONSTRAINT studies_accession_key_key UNIQUE (accession_key),
  CONSTRAINT studies_accession_number_key UNIQUE (accession_number),
  CONSTRAINT studies_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patients(id),
  CONSTRAINT studies_check CHECK ((source = 'ris'::text) = (accession_key IS NOT NULL)),
  CONSTRAINT studies_check1 CHECK ((accession_number IS NULL) = (accession_key IS NULL)),
  CONSTRAINT studies_check2 CHECK (source = 'ris'::text OR study_instance_uid IS NOT NULL),
  CONSTRAINT studies_order_status_check CHECK (order_status = ANY (ARRAY['none'::text, 'active'::text, 'held'::text, 'cancelled'::text, 'completed'::text])),
  CONSTRAINT studies_source_check CHECK (source = ANY (ARRAY['ris'::text, 'dicom'::text]))
);
CREATE INDEX studies_announced_uid ON studies USING btree (study_instance_uid) WHERE source = 'ris'::text AND study_instance_uid IS NOT NULL;
CREATE INDEX studies_clash ON studies USING btree (updated_at) WHERE clash IS NOT NULL;
CREATE UNIQUE INDEX studies_dicom_own ON studies USING btree (study_instance_uid) WHERE source = 'dicom'::text AND study_instance_uid IS NOT NULL;
CREATE INDEX studies_patient_date ON studies USING btree (patient_id, study_date);

CREATE TABLE dicom_studies (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  study_instance_uid text NOT NULL,
  modalities text[] DEFAULT '{}'::text[] NOT NULL,
  study_id bigint,
  status text,
  rule text,
  reason text,
  candidate_ids bigint[] DEFAULT '{}'::bigint[] NOT NULL,
  decided_by text,
  decided_at timestamp with time zone,
  first_seen_at timestamp with time zone DEFAULT now() NOT NULL,
  shown jsonb,
  contested text,
  contested_at timestamp with time zone,
  kept_claims bigint[] DEFAULT '{}'::bigint[] NOT NULL,
  kept_decision jsonb,
  CONSTRAINT dicom_studies_pkey PRIMARY KEY (id),
  CONSTRAINT dicom_studies_id_study_id_key UNIQUE (id, study_id),
  CONSTRAINT dicom_studies_study_instance_uid_key UNIQUE (study_instance_uid),
  CONSTRAINT dicom_studies_study_id_fkey FOREIGN KEY (study_id) REFERENCES studies(id),
  CONSTRAINT dicom_studies_deleted_check CHECK (status <> 'deleted'::text OR study_id IS NULL AND candidate_ids = '{}'::bigint[]),
  CONSTRAINT dicom_studies_status_check CHECK (status = ANY (ARRAY['linked'::text, 'provisional'::text, 'review'::text, 'deleted'::text]))
);
CREATE INDEX dicom_studies_candidates ON dicom_studies USING gin (candidate_ids);
CREATE INDEX dicom_studies_contested ON dicom_studies USING btree (contested_at) WHERE contested IS NOT NULL;
CREATE INDEX dicom_studies_kept_claims ON dicom_studies USING gin (kept_claims) WHERE kept_claims <> '{}'::bigint[];
CREATE INDEX dicom_studies_open ON dicom_studies USING btree (status, first_seen_at) WHERE status <> 'linked'::text;
CREATE INDEX dicom_studies_persons ON dicom_studies USING btree (id) WHERE decided_by <> 'rules'::text;
CREATE INDEX dicom_studies_study ON dicom_studies USING btree (study_id);
CREATE TRIGGER dicom_studies_link_follows AFTER INSERT OR UPDATE OF study_id ON dicom_studies FOR EACH ROW EXECUTE FUNCTION follow_study_link();

CREATE TABLE dicom_study_tags (
  orthanc_id text NOT NULL,
  dicom_study_id bigint NOT NULL,
  accession_number text NOT NULL,
  accession_key text NOT NULL,
  patient_id text NOT NULL,
  issuer text NOT NULL,
  patient_name text NOT NULL,
  patient_birth_date date,
  patient_sex text NOT NULL,
  study_date date,
  study_description text NOT NULL,
  calling_ae_titles text[],
  requested_keys text[],
  accession_keys text[] GENERATED ALWAYS AS (accession_keys_of(accession_key, requested_keys)) STORED NOT NULL,
  said boolean DEFAULT false NOT NULL,
  CONSTRAINT dicom_study_tags_pkey PRIMARY KEY (orthanc_id),
  CONSTRAINT dicom_study_tags_dicom_study_id_fkey FOREIGN KEY (dicom_study_id) REFERENCES dicom_studies(id)
);
CREATE INDEX dicom_study_tags_accession ON dicom_study_tags USING btree (accession_key) WHERE accession_key <> ''::text;
CREATE INDEX dicom_study_tags_accessions ON dicom_study_tags USING gin (accession_keys);
CREATE INDEX dicom_study_tags_birth_date ON dicom_study_tags USING btree (patient_birth_date, study_date);
CREATE INDEX dicom_study_tags_patient ON dicom_study_tags USING btree (upper(patient_id)) WHERE patient_id <> ''::text;
CREATE INDEX dicom_study_tags_study ON dicom_study_tags USING btree (dicom_study_id);
CREATE TRIGGER dicom_study_tags_seen AFTER INSERT OR UPDATE ON dicom_study_tags FOR EACH ROW EXECUTE FUNCTION see_unsaid_tags();

CREATE TABLE link_decisions (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  dicom_study_id bigint NOT NULL,
  study_id bigint,
  status text NOT NULL,
  rule text NOT NULL,
  reason text,
  candidate_ids bigint[] NOT NULL,
  tags jsonb NOT NULL,
  decided_by text NOT NULL,
  decided_at timestamp with time zone NOT NULL,
  CONSTRAINT link_decisions_pkey PRIMARY KEY (id),
  CONSTRAINT link_decisions_dicom_study_id_fkey FOREIGN KEY (dicom_study_id) REFERENCES dicom_studies(id),
  CONSTRAINT link_decisions_study_check CHECK ((status = 'deleted'::text) = (study_id IS NULL))
);
CREATE INDEX link_decisions_study ON link_decisions USING btree (dicom_study_id, id);
CREATE TRIGGER link_decisions_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON link_decisions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE series (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  dicom_study_id bigint NOT NULL,
  study_id bigint NOT NULL,
  orthanc_id text NOT NULL,
  series_instance_uid text NOT NULL,
  modality text NOT NULL,
  description text NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  orthanc_study_id text NOT NULL,
  CONSTRAINT series_pkey PRIMARY KEY (id),
  CONSTRAINT series_orthanc_id_key UNIQUE (orthanc_id),
  CONSTRAINT series_dicom_study_id_study_id_fkey FOREIGN KEY (dicom_study_id, study_id) REFERENCES dicom_studies(id, study_id) ON UPDATE CASCADE,
  CONSTRAINT series_study_id_fkey FOREIGN KEY (study_id) REFERENCES studies(id)
);
CREATE INDEX series_dicom_study ON series USING btree (dicom_study_id);
CREATE INDEX series_orthanc_study ON series USING btree (orthanc_study_id);
CREATE INDEX series_study ON series USING btree (study_id);
CREATE INDEX series_uid ON series USING btree (series_instance_uid);

CREATE TABLE images (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  series_id bigint NOT NULL,
  orthanc_id text NOT NULL,
  sop_instance_uid text NOT NULL,
  sop_class_uid text NOT NULL,
  transfer_syntax_uid text NOT NULL,
  instance_number integer,
  number_of_frames integer NOT NULL,
  image_url text,
  thumbnail_url text,
  mirror_status text DEFAULT 'pending'::text NOT NULL,
  mirror_reason text,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  mirrored_at timestamp with time zone,
  render_begun smallint DEFAULT 0 NOT NULL,
  retried_by text,
  retry_reason text,
  retried_at timestamp with time zone,
  file_uuid text,
  said_key text,
  resent_key text,
  CONSTRAINT images_pkey PRIMARY KEY (id),
  CONSTRAINT images_orthanc_id_key UNIQUE (orthanc_id),
  CONSTRAINT images_series_id_fkey FOREIGN KEY (series_id) REFERENCES series(id),
  CONSTRAINT images_check CHECK ((mirror_status = 'mirrored'::text) = (image_url IS NOT NULL AND thumbnail_url IS NOT NULL)),
  CONSTRAINT images_check1 CHECK ((mirror_status = ANY (ARRAY['pending'::text, 'mirrored'::text])) OR mirror_reason IS NOT NULL),
  CONSTRAINT images_mirror_status_check CHECK (mirror_status = ANY (ARRAY['pending'::text, 'mirrored'::text, 'no-pixels'::text, 'failed'::text])),
  CONSTRAINT images_render_begun_check CHECK (render_begun >= 0),
  CONSTRAINT images_retried_check CHECK ((retried_at IS NULL) = (retried_by IS NULL) AND (retried_at IS NULL) = (retry_reason IS NULL))
) WITH (fillfactor=80);
CREATE INDEX images_series ON images USING btree (series_id);
CREATE INDEX images_sop ON images USING btree (sop_instance_uid);
CREATE INDEX images_unmirrored ON images USING btree (mirror_status, id) WHERE mirror_status = ANY (ARRAY['pending'::text, 'failed'::text]);
CREATE INDEX images_unsaid ON images USING btree (series_id) WHERE said_key IS NULL;

CREATE TABLE feed_cursor (
  only_row boolean DEFAULT true NOT NULL,
  server_id text NOT NULL,
  seq bigint NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  read_at timestamp with time zone,
  CONSTRAINT feed_cursor_pkey PRIMARY KEY (only_row),
  CONSTRAINT feed_cursor_only_row_check CHECK (only_row)
);

CREATE TABLE hl7_messages (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  received_at timestamp with time zone NOT NULL,
  remote_address text NOT NULL,
  sending_application text NOT NULL,
  sending_facility text NOT NULL,
  message_type text NOT NULL,
  control_id text NOT NULL,
  content_hash text NOT NULL,
  raw bytea NOT NULL,
  answer text NOT NULL,
  reason text,
  acknowledgment text NOT NULL,
  replayed_by text,
  replay_reason text,
  replayed_at timestamp with time zone,
  forgotten_at timestamp with time zone,
  ignored boolean DEFAULT false NOT NULL,
  reading jsonb,
  CONSTRAINT hl7_messages_pkey PRIMARY KEY (id),
  CONSTRAINT hl7_messages_sending_application_sending_facility_control_i_key UNIQUE (sending_application, sending_facility, control_id, content_hash),
  CONSTRAINT hl7_messages_answer_check CHECK (answer = ANY (ARRAY['AA'::text, 'AR'::text])),
  CONSTRAINT hl7_messages_check CHECK (answer = 'AA'::text OR reason IS NOT NULL),
  CONSTRAINT hl7_messages_forgotten_check CHECK (forgotten_at IS NULL OR raw = '\x'::bytea AND answer = 'AA'::text),
  CONSTRAINT hl7_messages_replayed_check CHECK ((replayed_at IS NULL) = (replayed_by IS NULL) AND (replayed_at IS NULL) = (replay_reason IS NULL))
);
CREATE INDEX hl7_messages_ignored ON hl7_messages USING btree (message_type, sending_application, sending_facility) WHERE ignored;
CREATE INDEX hl7_messages_received ON hl7_messages USING btree (received_at);
CREATE INDEX hl7_messages_rejected ON hl7_messages USING btree (received_at) WHERE answer = 'AR'::text;
CREATE INDEX hl7_messages_whole ON hl7_messages USING btree (received_at) WHERE answer = 'AA'::text AND forgotten_at IS NULL;

CREATE TABLE reports (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  study_id bigint NOT NULL,
  version integer NOT NULL,
  status text NOT NULL,
  body text NOT NULL,
  reported_at timestamp with time zone,
  hl7_message_id bigint NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  said_at timestamp with time zone NOT NULL,
  patient_id bigint NOT NULL,
  withheld text,
  text_stands boolean DEFAULT false NOT NULL,
  sections jsonb,
  undated boolean DEFAULT false NOT NULL,
  CONSTRAINT reports_pkey PRIMARY KEY (id),
  CONSTRAINT reports_study_id_hl7_message_id_key UNIQUE (study_id, hl7_message_id),
  CONSTRAINT reports_study_id_version_key UNIQUE (study_id, version),
  CONSTRAINT reports_hl7_message_id_fkey FOREIGN KEY (hl7_message_id) REFERENCES hl7_messages(id),
  CONSTRAINT reports_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patients(id),
  CONSTRAINT reports_study_id_fkey FOREIGN KEY (study_id) REFERENCES studies(id),
  CONSTRAINT reports_status_check CHECK (status = ANY (ARRAY['preliminary'::text, 'final'::text, 'corrected'::text, 'cancelled'::text]))
);
CREATE INDEX reports_message ON reports USING btree (hl7_message_id);
CREATE INDEX reports_patient ON reports USING btree (patient_id);
CREATE INDEX reports_withheld ON reports USING btree (study_id) WHERE withheld IS NOT NULL;

CREATE TABLE report_attachments (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  report_id bigint NOT NULL,
  ordinal integer NOT NULL,
  content_type text NOT NULL,
  content bytea NOT NULL,
  CONSTRAINT report_attachments_pkey PRIMARY KEY (id),
  CONSTRAINT report_attachments_report_id_ordinal_key UNIQUE (report_id, ordinal),
  CONSTRAINT report_attachments_report_id_fkey FOREIGN KEY (report_id) REFERENCES reports(id)
);

CREATE TABLE sms_messages (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  study_id bigint NOT NULL,
  kind text DEFAULT 'final-report'::text NOT NULL,
  state text NOT NULL,
  reason text,
  to_number text,
  body text NOT NULL,
  attempts integer DEFAULT 0 NOT NULL,
  not_before timestamp with time zone,
  sending_since timestamp with time zone,
  sent_at timestamp with time zone,
  twilio_sid text,
  created_at timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  patient_id bigint,
  report_id bigint,
  shown_at timestamp with time zone,
  approved_report_id bigint,
  approved_by text,
  former_sids text[] DEFAULT '{}'::text[] NOT NULL,
  attention text,
  attention_since timestamp with time zone,
  done_at timestamp with time zone,
  done_by text,
  done_why text,
  done_patient_id bigint,
  CONSTRAINT sms_messages_pkey PRIMARY KEY (id),
  CONSTRAINT sms_messages_study_id_kind_key UNIQUE (study_id, kind),
  CONSTRAINT sms_messages_twilio_sid_key UNIQUE (twilio_sid),
  CONSTRAINT sms_messages_study_id_fkey FOREIGN KEY (study_id) REFERENCES studies(id),
  CONSTRAINT sms_messages_attention_check CHECK ((attention IS NULL) = (attention_since IS NULL)),
  CONSTRAINT sms_messages_check CHECK ((state = ANY (ARRAY['held'::text, 'failed'::text])) OR to_number IS NOT NULL),
  CONSTRAINT sms_messages_check1 CHECK ((state <> ALL (ARRAY['held'::text, 'failed'::text])) OR reason IS NOT NULL),
  CONSTRAINT sms_messages_check2 CHECK (state <> 'sending'::text OR sending_since IS NOT NULL),
  CONSTRAINT sms_messages_done_check CHECK ((done_at IS NULL) = (done_by IS NULL) AND (done_at IS NULL) = (done_why IS NULL)),
  CONSTRAINT sms_messages_kind_check CHECK (kind = 'final-report'::text),
  CONSTRAINT sms_messages_state_check CHECK (state = ANY (ARRAY['held'::text, 'queued'::text, 'sending'::text, 'sent'::text, 'failed'::text]))
);
CREATE INDEX sms_messages_attention ON sms_messages USING btree (attention_since) WHERE attention IS NOT NULL;
CREATE INDEX sms_messages_open ON sms_messages USING btree (state, id) WHERE state <> 'sent'::text;
CREATE TRIGGER sms_messages_audit AFTER UPDATE OF state ON sms_messages FOR EACH ROW WHEN (old.state <> new.state AND (new.state = ANY (ARRAY['sent'::text, 'failed'::text]))) EXECUTE FUNCTION audit_text_ended();
CREATE CONSTRAINT TRIGGER sms_messages_audit_held AFTER UPDATE ON sms_messages DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.state = 'held'::text AND (old.state IS DISTINCT FROM new.state OR old.reason IS DISTINCT FROM new.reason)) EXECUTE FUNCTION audit_text_held();
CREATE CONSTRAINT TRIGGER sms_messages_audit_made AFTER INSERT ON sms_messages DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.state = ANY (ARRAY['held'::text, 'failed'::text])) EXECUTE FUNCTION audit_text_held();
CREATE TRIGGER sms_messages_study_follows AFTER INSERT OR UPDATE OF study_id ON sms_messages FOR EACH ROW EXECUTE FUNCTION follow_text_study();

CREATE TABLE failures (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  part text NOT NULL,
  subject text NOT NULL,
  code text NOT NULL,
  message text NOT NULL,
  times integer DEFAULT 1 NOT NULL,
  first_at timestamp with time zone NOT NULL,
  last_at timestamp with time zone NOT NULL,
  CONSTRAINT failures_pkey PRIMARY KEY (id),
  CONSTRAINT failures_part_subject_key UNIQUE (part, subject)
);

CREATE TABLE patient_facts (
  hl7_message_id bigint NOT NULL,
  ordinal integer NOT NULL,
  patient_id bigint NOT NULL,
  said_at timestamp with time zone NOT NULL,
  facts jsonb NOT NULL,
  of_report boolean DEFAULT false NOT NULL,
  CONSTRAINT patient_facts_pkey PRIMARY KEY (hl7_message_id, ordinal),
  CONSTRAINT patient_facts_hl7_message_id_fkey FOREIGN KEY (hl7_message_id) REFERENCES hl7_messages(id),
  CONSTRAINT patient_facts_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patients(id)
);
CREATE INDEX patient_facts_patient ON patient_facts USING btree (patient_id);

CREATE TABLE patient_merges (
  hl7_message_id bigint NOT NULL,
  ordinal integer NOT NULL,
  prior_id bigint NOT NULL,
  survivor_id bigint NOT NULL,
  said_at timestamp with time zone NOT NULL,
  of_identifiers boolean DEFAULT false NOT NULL,
  apart_from_id bigint,
  withdrawn_at timestamp with time zone,
  withdrawn_by text,
  withdraw_reason text,
  CONSTRAINT patient_merges_pkey PRIMARY KEY (hl7_message_id, ordinal),
  CONSTRAINT patient_merges_apart_from_id_fkey FOREIGN KEY (apart_from_id) REFERENCES patients(id),
  CONSTRAINT patient_merges_hl7_message_id_fkey FOREIGN KEY (hl7_message_id) REFERENCES hl7_messages(id),
  CONSTRAINT patient_merges_prior_id_fkey FOREIGN KEY (prior_id) REFERENCES patients(id),
  CONSTRAINT patient_merges_survivor_id_fkey FOREIGN KEY (survivor_id) REFERENCES patients(id)
);
CREATE INDEX patient_merges_apart ON patient_merges USING btree (apart_from_id) WHERE apart_from_id IS NOT NULL;
CREATE INDEX patient_merges_prior ON patient_merges USING btree (prior_id);
CREATE INDEX patient_merges_survivor ON patient_merges USING btree (survivor_id);

CREATE TABLE study_facts (
  hl7_message_id bigint NOT NULL,
  ordinal integer NOT NULL,
  accession_key text NOT NULL,
  patient_id bigint NOT NULL,
  said_at timestamp with time zone NOT NULL,
  kind text NOT NULL,
  order_status text,
  facts jsonb NOT NULL,
  said_key text,
  withdrawn_at timestamp with time zone,
  withdrawn_by text,
  withdraw_reason text,
  CONSTRAINT study_facts_pkey PRIMARY KEY (hl7_message_id, ordinal),
  CONSTRAINT study_facts_hl7_message_id_fkey FOREIGN KEY (hl7_message_id) REFERENCES hl7_messages(id),
  CONSTRAINT study_facts_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patients(id),
  CONSTRAINT study_facts_kind_check CHECK (kind = ANY (ARRAY['order'::text, 'report'::text]))
);
CREATE INDEX study_facts_accession ON study_facts USING btree (accession_key);
CREATE INDEX study_facts_patient ON study_facts USING btree (patient_id);
CREATE INDEX study_facts_withdrawn ON study_facts USING btree (accession_key) WHERE withdrawn_at IS NOT NULL;

CREATE TABLE deleted_images (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  orthanc_id text NOT NULL,
  sop_instance_uid text NOT NULL,
  series_instance_uid text NOT NULL,
  study_instance_uid text NOT NULL,
  image_url text,
  thumbnail_url text,
  deleted_at timestamp with time zone NOT NULL,
  blobs_removed_at timestamp with time zone,
  CONSTRAINT deleted_images_pkey PRIMARY KEY (id)
);
CREATE INDEX deleted_images_orthanc ON deleted_images USING btree (orthanc_id);
CREATE INDEX deleted_images_study ON deleted_images USING btree (study_instance_uid);

CREATE TABLE sms_receipts (
  twilio_sid text NOT NULL,
  status text NOT NULL,
  error_code integer,
  received_at timestamp with time zone NOT NULL,
  CONSTRAINT sms_receipts_pkey PRIMARY KEY (twilio_sid)
);
CREATE INDEX sms_receipts_undelivered ON sms_receipts USING btree (received_at) WHERE status = ANY (ARRAY['canceled'::text, 'undelivered'::text, 'failed'::text]);

CREATE TABLE sms_opt_outs (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  source text NOT NULL,
  number text NOT NULL,
  opted_out boolean NOT NULL,
  said_at timestamp with time zone NOT NULL,
  CONSTRAINT sms_opt_outs_pkey PRIMARY KEY (id),
  CONSTRAINT sms_opt_outs_source_key UNIQUE (source),
  CONSTRAINT sms_opt_outs_number_check CHECK (number ~~ '+%'::text)
);
CREATE INDEX sms_opt_outs_number ON sms_opt_outs USING btree (number, said_at DESC, id DESC);
CREATE CONSTRAINT TRIGGER sms_opt_outs_audit AFTER INSERT ON sms_opt_outs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_opt_choice();

CREATE TABLE audit_log (
  id bigint NOT NULL,
  at timestamp with time zone NOT NULL,
  event text NOT NULL,
  who text NOT NULL,
  source text DEFAULT ''::text NOT NULL,
  what text NOT NULL,
  study_instance_uid text,
  accession_number text,
  hl7_message_id bigint,
  outcome text NOT NULL,
  detail jsonb DEFAULT '{}'::jsonb NOT NULL,
  former bytea NOT NULL,
  hash bytea NOT NULL,
  CONSTRAINT audit_log_pkey PRIMARY KEY (id),
  CONSTRAINT audit_log_outcome_check CHECK (outcome = ANY (ARRAY['ok'::text, 'refused'::text, 'failed'::text]))
);
ALTER TABLE audit_log ADD CONSTRAINT audit_log_events CHECK (event = ANY (ARRAY['upload'::text, 'upload-refused'::text, 'access-refused'::text, 'hl7-refused-sender'::text, 'operator-act'::text, 'operator-view'::text, 'replay'::text, 'text-sent'::text, 'text-failed'::text, 'text-held'::text, 'opt-out'::text, 'opt-in'::text, 'key-made'::text, 'key-withdrawn'::text, 'started'::text, 'stopped'::text, 'audit-read'::text, 'audit-forgotten'::text, 'audit-lost'::text])) NOT VALID;
CREATE INDEX audit_log_at ON audit_log USING btree (at);
CREATE INDEX audit_log_forgotten ON audit_log USING btree (id) WHERE event = 'audit-forgotten'::text;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_append_only;
CREATE TRIGGER audit_log_chain BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_chain();
CREATE TRIGGER audit_log_forgets AFTER DELETE ON audit_log REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_unsaid();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_forgets;

CREATE TABLE audit_head (
  only_row boolean DEFAULT true NOT NULL,
  id bigint NOT NULL,
  hash bytea NOT NULL,
  CONSTRAINT audit_head_pkey PRIMARY KEY (only_row),
  CONSTRAINT audit_head_only_row_check CHECK (only_row)
);
CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON audit_head FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_head ENABLE ALWAYS TRIGGER audit_head_stays;

CREATE TABLE audit_export (
  only_row boolean DEFAULT true NOT NULL,
  sent_id bigint NOT NULL,
  sent_at timestamp with time zone NOT NULL,
  CONSTRAINT audit_export_pkey PRIMARY KEY (only_row),
  CONSTRAINT audit_export_only_row_check CHECK (only_row)
);

CREATE TABLE api_keys (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  name text NOT NULL,
  kind text NOT NULL,
  scope text NOT NULL,
  sha256 text NOT NULL,
  created_at timestamp with time zone NOT NULL,
  withdrawn_at timestamp with time zone,
  last_used_at timestamp with time zone,
  CONSTRAINT api_keys_pkey PRIMARY KEY (id),
  CONSTRAINT api_keys_kind_check CHECK (kind = ANY (ARRAY['key'::text, 'certificate'::text])),
  CONSTRAINT api_keys_name_check CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$'::text),
  CONSTRAINT api_keys_scope_check CHECK (scope = ANY (ARRAY['upload'::text, 'operator'::text])),
  CONSTRAINT api_keys_sha256_check CHECK (sha256 ~ '^[0-9a-f]{64}$'::text)
);
CREATE UNIQUE INDEX api_keys_name_key ON api_keys USING btree (name) WHERE withdrawn_at IS NULL;
CREATE UNIQUE INDEX api_keys_sha256_key ON api_keys USING btree (sha256) WHERE withdrawn_at IS NULL;

CREATE TABLE backups (
  snapshot text NOT NULL,
  taken_at timestamp with time zone NOT NULL,
  finished_at timestamp with time zone NOT NULL,
  bytes bigint NOT NULL,
  files bigint NOT NULL,
  CONSTRAINT backups_pkey PRIMARY KEY (snapshot)
);
CREATE INDEX backups_finished ON backups USING btree (finished_at);

CREATE TABLE restores (
  snapshot text NOT NULL,
  taken_at timestamp with time zone NOT NULL,
  restored_at timestamp with time zone NOT NULL,
  CONSTRAINT restores_pkey PRIMARY KEY (restored_at)
);

CREATE TABLE rate_limits (
  key character varying(255) NOT NULL,
  points integer DEFAULT 0 NOT NULL,
  expire bigint,
  CONSTRAINT rate_limits_pkey PRIMARY KEY (key)
);
CREATE INDEX rate_limits_expire ON rate_limits USING btree (expire);

CREATE TABLE dicom_study_links (
  dicom_study_id bigint NOT NULL,
  study_id bigint NOT NULL,
  CONSTRAINT dicom_study_links_pkey PRIMARY KEY (dicom_study_id, study_id),
  CONSTRAINT dicom_study_links_dicom_study_id_fkey FOREIGN KEY (dicom_study_id) REFERENCES dicom_studies(id),
  CONSTRAINT dicom_study_links_study_id_fkey FOREIGN KEY (study_id) REFERENCES studies(id)
);
CREATE INDEX dicom_study_links_study ON dicom_study_links USING btree (study_id);

CREATE TABLE seen_tags (
  orthanc_id text NOT NULL,
  said_key text NOT NULL,
  accession_key text NOT NULL,
  accession_number text NOT NULL,
  dicom_study_id bigint NOT NULL,
  patient_id text NOT NULL,
  issuer text NOT NULL,
  patient_name text NOT NULL,
  patient_birth_date date,
  patient_sex text NOT NULL,
  study_date date,
  study_description text NOT NULL,
  CONSTRAINT seen_tags_pkey PRIMARY KEY (orthanc_id, said_key, accession_key),
  CONSTRAINT seen_tags_dicom_study_id_fkey FOREIGN KEY (dicom_study_id) REFERENCES dicom_studies(id),
  CONSTRAINT seen_tags_orthanc_id_fkey FOREIGN KEY (orthanc_id) REFERENCES dicom_study_tags(orthanc_id) ON DELETE CASCADE
);
CREATE INDEX seen_tags_accession ON seen_tags USING btree (accession_key) WHERE accession_key <> ''::text;
CREATE INDEX seen_tags_birth_date ON seen_tags USING btree (patient_birth_date, study_date);
CREATE INDEX seen_tags_patient ON seen_tags USING btree (upper(patient_id)) WHERE patient_id <> ''::text;
CREATE INDEX seen_tags_study ON seen_tags USING btree (dicom_study_id);

CREATE TABLE image_differences (
  orthanc_id text NOT NULL,
  fields text[] NOT NULL,
  noted_at timestamp with time zone NOT NULL,
  seen_by text,
  seen_at timestamp with time zone,
  CONSTRAINT image_differences_pkey PRIMARY KEY (orthanc_id),
  CONSTRAINT image_differences_orthanc_id_fkey FOREIGN KEY (orthanc_id) REFERENCES images(orthanc_id) ON DELETE CASCADE,
  CONSTRAINT image_differences_check CHECK ((seen_by IS NULL) = (seen_at IS NULL))
);
CREATE INDEX image_differences_unseen ON image_differences USING btree (noted_at) WHERE seen_at IS NULL;

CREATE TABLE work_done (
  kind text NOT NULL,
  subject text NOT NULL,
  done_at timestamp with time zone NOT NULL,
  done_by text NOT NULL,
  done_why text NOT NULL,
  CONSTRAINT work_done_pkey PRIMARY KEY (kind, subject)
);

CREATE TABLE release_holds (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  study_id bigint,
  patient_id bigint,
  held_by text NOT NULL,
  reason text NOT NULL,
  held_at timestamp with time zone NOT NULL,
  CONSTRAINT release_holds_pkey PRIMARY KEY (id),
  CONSTRAINT release_holds_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patients(id) ON DELETE CASCADE,
  CONSTRAINT release_holds_study_id_fkey FOREIGN KEY (study_id) REFERENCES studies(id) ON DELETE CASCADE,
  CONSTRAINT release_holds_check CHECK (num_nonnulls(study_id, patient_id) = 1)
);
CREATE UNIQUE INDEX release_holds_patient ON release_holds USING btree (patient_id) WHERE patient_id IS NOT NULL;
CREATE UNIQUE INDEX release_holds_study ON release_holds USING btree (study_id) WHERE study_id IS NOT NULL;

CREATE TABLE sms_studies (
  study_id bigint NOT NULL,
  sms_id bigint NOT NULL,
  CONSTRAINT sms_studies_pkey PRIMARY KEY (study_id),
  CONSTRAINT sms_studies_sms_id_fkey FOREIGN KEY (sms_id) REFERENCES sms_messages(id) ON DELETE CASCADE,
  CONSTRAINT sms_studies_study_id_fkey FOREIGN KEY (study_id) REFERENCES studies(id) ON DELETE CASCADE
);
CREATE INDEX sms_studies_sms ON sms_studies USING btree (sms_id);
