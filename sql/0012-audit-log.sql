-- Who did or saw what, or was not let in. Append-only, in one chain: each row's hash is over the former's and its own
-- content. Ids have no gaps and rows become visible in their order, since whoever appends holds audit_head until its
-- transaction ends. Ids and codes only, no patient data: docs/audit.md.
CREATE TABLE audit_log (
  id                 bigint PRIMARY KEY,               -- given by the trigger
  at                 timestamptz NOT NULL,
  event              text NOT NULL CHECK (event IN (
    'upload', 'upload-refused', 'access-refused', 'hl7-refused-sender', 'operator-act', 'operator-view', 'replay',
    'text-sent', 'text-failed', 'key-made', 'key-withdrawn', 'started', 'stopped', 'audit-read', 'audit-forgotten',
    'audit-lost')),
  who                text NOT NULL,                    -- a key's name, and the person; '' where nobody is known
  source             text NOT NULL DEFAULT '',         -- the address it came from, or the machine
  what               text NOT NULL,                    -- a code: what was done, or asked for
  study_instance_uid text,
  accession_number   text,
  hl7_message_id     bigint,                           -- no foreign key: messages may be forgotten earlier
  outcome            text NOT NULL CHECK (outcome IN ('ok', 'refused', 'failed')),
  detail             jsonb NOT NULL DEFAULT '{}',
  former             bytea NOT NULL,                   -- the hash of the row before
  hash               bytea NOT NULL
);
CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_forgotten ON audit_log (id) WHERE event = 'audit-forgotten';

-- The end of the chain.
CREATE TABLE audit_head (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  id       bigint NOT NULL,
  hash     bytea NOT NULL
);
INSERT INTO audit_head (id, hash) VALUES (0, sha256(''));

-- Until where rows were sent by syslog; no row while they never were.
CREATE TABLE audit_export (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  sent_id  bigint NOT NULL,
  sent_at  timestamptz NOT NULL
);

-- The same digest stands in sidecar/adapters/postgres/audit.ts, so that the check does not rest on what is in the database.
CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  SELECT h.id + 1, h.hash INTO STRICT NEW.id, NEW.former FROM audit_head h FOR UPDATE;
  NEW.hash := sha256(NEW.former || convert_to(CAST(jsonb_build_array(
    NEW.id, to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), NEW.event, NEW.who, NEW.source, NEW.what,
    NEW.study_instance_uid, NEW.accession_number, NEW.hl7_message_id, NEW.outcome, NEW.detail) AS text), 'UTF8'));
  UPDATE audit_head SET id = NEW.id, hash = NEW.hash;
  RETURN NEW;
END $$;
CREATE TRIGGER audit_log_chain BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_chain();

-- ALWAYS: not switched off by session_replication_role either.
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_append_only;
CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON audit_head
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_head ENABLE ALWAYS TRIGGER audit_head_stays;

-- Nothing goes of which the log does not say so, in the same transaction.
CREATE FUNCTION audit_refuse_unsaid() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF EXISTS (SELECT FROM gone WHERE gone.id > coalesce((
      SELECT max(CAST(f.detail ->> 'upTo' AS bigint)) FROM audit_log f
      WHERE f.event = 'audit-forgotten' AND f.xmin = CAST(pg_current_xact_id() AS xid)), 0)) THEN
    RAISE EXCEPTION 'audit_log is append-only';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER audit_log_forgets AFTER DELETE ON audit_log REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_unsaid();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_forgets;

-- Deletes what is older than the cutoff, from the beginning of the chain on; where rows are sent by syslog only those
-- that were. Gives how many. A row tells it, with the hash that the rest of the chain begins with.
CREATE FUNCTION audit_forget_before(cutoff timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER AS $$
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
END $$;

-- They run as their owner, so that nobody else's tables of the same name may stand in.
DO $$ BEGIN
  EXECUTE format('ALTER FUNCTION audit_chain() SET search_path = %I, pg_temp', current_schema());
  EXECUTE format('ALTER FUNCTION audit_refuse_unsaid() SET search_path = %I, pg_temp', current_schema());
  EXECUTE format('ALTER FUNCTION audit_forget_before(timestamptz) SET search_path = %I, pg_temp', current_schema());
END $$;

-- By the database itself, so that no way of marking a text goes without.
CREATE FUNCTION audit_text_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit_log (at, event, who, what, accession_number, outcome, detail)
  VALUES (NEW.updated_at, 'text-' || NEW.state, 'sidecar', NEW.kind,
          (SELECT s.accession_number FROM studies s WHERE s.id = NEW.study_id),
          CASE NEW.state WHEN 'sent' THEN 'ok' ELSE 'failed' END,
          jsonb_strip_nulls(jsonb_build_object('textId', NEW.id, 'twilioSid', NEW.twilio_sid, 'code', NEW.reason,
                                               'attempts', NEW.attempts)));
  RETURN NULL;
END $$;
CREATE TRIGGER sms_messages_audit AFTER UPDATE OF state ON sms_messages FOR EACH ROW
  WHEN (OLD.state <> NEW.state AND NEW.state IN ('sent', 'failed')) EXECUTE FUNCTION audit_text_ended();
