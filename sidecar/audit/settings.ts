import { z } from 'zod';
import { parseSyslogTarget } from './rules/syslog-target.ts';

const syslogTarget = z.string().transform((text, context) => {
  const target = parseSyslogTarget(text);
  if (target !== null) return target;
  context.addIssue({ code: 'custom', message: 'must be udp://host:port, tcp://host:port or tls://host:port' });
  return z.NEVER;
});

const pem = z.string().regex(/-----BEGIN [A-Z ]+-----/, 'must be PEM');

export const AUDIT_SETTINGS = z.object({
  AUDIT_SYSLOG: syslogTarget.optional(),
  AUDIT_SYSLOG_CA: pem.optional(),
  AUDIT_SYSLOG_CERTIFICATE: pem.optional(),
  AUDIT_SYSLOG_KEY: pem.optional(),
});

/** Where the audit log is sent. */
export type AuditSettings = z.output<typeof AUDIT_SETTINGS>;
