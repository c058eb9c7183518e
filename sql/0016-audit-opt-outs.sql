-- What a number said for or against texts, and texts that are held for their number, in the audit
-- log too.

-- Where the log was given to another role (docs/audit.md) only that one, or a superuser, can let it take new events:
-- these statements, once, before the upgrade.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'audit_log'::regclass AND conname = 'audit_log_events') THEN
    ALTER TABLE audit_log DROP CONSTRAINT audit_log_event_check;
    ALTER TABLE audit_log ADD CONSTRAINT audit_log_events CHECK (event IN (
      'upload', 'upload-refused', 'access-refused', 'hl7-refused-sender', 'operator-act', 'operator-view', 'replay',
      'text-sent', 'text-failed', 'text-held', 'opt-out', 'opt-in', 'key-made', 'key-withdrawn', 'started', 'stopped',
      'audit-read', 'audit-forgotten', 'audit-lost')) NOT VALID;
  END IF;
END $$;

-- Deferred, since who appends to the log holds up all others until its transaction ends.
CREATE FUNCTION audit_opt_choice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit_log (at, event, who, what, outcome, detail)
  VALUES (NEW.said_at, CASE WHEN NEW.opted_out THEN 'opt-out' ELSE 'opt-in' END, '', 'texts', 'ok',
          jsonb_build_object('choiceId', NEW.id, 'source', NEW.source));
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER sms_opt_outs_audit AFTER INSERT ON sms_opt_outs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  EXECUTE FUNCTION audit_opt_choice();

CREATE FUNCTION audit_text_held() RETURNS trigger LANGUAGE plpgsql AS $$
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
END $$;
CREATE CONSTRAINT TRIGGER sms_messages_audit_made AFTER INSERT ON sms_messages DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW.state IN ('held', 'failed')) EXECUTE FUNCTION audit_text_held();
CREATE CONSTRAINT TRIGGER sms_messages_audit_held AFTER UPDATE ON sms_messages DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW.state = 'held' AND (OLD.state, OLD.reason) IS DISTINCT FROM (NEW.state, NEW.reason))
  EXECUTE FUNCTION audit_text_held();
