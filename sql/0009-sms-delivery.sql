-- What Twilio's status callbacks said became of a message, the furthest of it. Apart from sms_messages and by Twilio's
-- SID: a receipt may come before the row knows that.
CREATE TABLE sms_receipts (
  twilio_sid  text PRIMARY KEY,
  status      text NOT NULL,                           -- MessageStatus: queued, sent, delivered, undelivered …
  error_code  integer,                                 -- ErrorCode: 30003 and the like
  received_at timestamptz NOT NULL                     -- when that was said first
);
CREATE INDEX sms_receipts_undelivered ON sms_receipts (received_at) WHERE status IN ('canceled', 'undelivered', 'failed');

-- Each word of a number for or against texts; the last one holds. source: the SID of the message that said STOP or
-- START, so that one that comes again has no second effect, or the text that Twilio refused to send to that number.
CREATE TABLE sms_opt_outs (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source    text NOT NULL UNIQUE,
  number    text NOT NULL CHECK (number LIKE '+%'),    -- E.164
  opted_out boolean NOT NULL,
  said_at   timestamptz NOT NULL
);
CREATE INDEX sms_opt_outs_number ON sms_opt_outs (number, said_at DESC, id DESC);
CREATE INDEX patients_phone_number ON patients (phone_number) WHERE phone_number IS NOT NULL;
