import { z } from 'zod';
import { parsed } from '../platform/settings.ts';
import { parseSyslogTarget } from './rules/syslog-target.ts';

const syslogTarget = parsed(parseSyslogTarget, 'udp://host:port, tcp://host:port or tls://host:port');

const pem = z.string().regex(/-----BEGIN [A-Z ]+-----/, 'must be PEM');

export const AUDIT_SETTINGS = z.object({
  AUDIT_SYSLOG: syslogTarget.optional(),
  AUDIT_SYSLOG_CA: pem.optional(),
  AUDIT_SYSLOG_CERTIFICATE: pem.optional(),
  AUDIT_SYSLOG_KEY: pem.optional(),
});

/** Where the audit log is sent. */
export type AuditSettings = z.output<typeof AUDIT_SETTINGS>;
