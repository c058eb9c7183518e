import { randomBytes } from 'node:crypto';
import type { Knex } from 'knex';
import { addressMatcher } from '../platform/net/addresses.ts';
import { createAdmission } from '../access/io/admission.ts';
import { createRateLimits } from '../access/io/rate-limits.ts';
import type { Hl7Newcomer } from '../hl7/io/listener.ts';
import type { Hl7Guard } from '../hl7/io/ports.ts';
import type { HttpGuard } from '../access/io/http-guard.ts';
import { keyStatements } from '../access/io/key-rows.ts';
import type { TlsFiles } from '../platform/net/tls-files.ts';
import type { Config } from './config.ts';
import { isAllowedSender, isDoctorsTest, strangerAck, tooManyTestsAck } from '../hl7/rules/senders.ts';
import { createRateLimit } from '../platform/rules/rate-limit.ts';
import { boundedRefusals, type OnRefusedAccess } from '../platform/rules/refused-access.ts';
import type { Log } from '../platform/log.ts';

export interface Guards {
  readonly hl7: Hl7Guard;
  readonly http: HttpGuard;
  /** AR for strangers' messages, of which no more than the header is read and nothing kept; `null` for the others. */
  readonly admitHl7: (newcomer: Hl7Newcomer) => string | null;
}

/** How many of the doctor's test orders are kept in an hour that no listed sender sent: whoever copies one gains no more. */
const DOCTORS_AN_HOUR = 10;
const HOUR_MS = 3_600_000;

/** How soon a renewed certificate is seen. */
const LOOK_MS = 10_000;

const files = (
  certificate: string | undefined,
  key: string | undefined,
  clientCa: string | undefined,
): TlsFiles | undefined =>
  certificate === undefined || key === undefined ? undefined : { certificate, key, clientCa, lookMs: LOOK_MS };

/**
 * Who may come to the sidecar's ports, as the settings and the registered keys say. Whoever is not let in is logged, so
 * often at most, and told to `onRefusedAccess` each time.
 */
export async function createGuards(parts: {
  readonly config: Config;
  readonly db: Knex;
  readonly now: () => Date;
  readonly onRefusedAccess: OnRefusedAccess;
  readonly log: Log;
}): Promise<Guards> {
  const { config, db, now, log } = parts;
  const logSome = boundedRefusals((refused) => {
    log.warn(refused, 'not let in');
  }, now);
  const onRefused: OnRefusedAccess = (refused) => {
    logSome(refused);
    parts.onRefusedAccess(refused);
  };
  const keys = keyStatements(db);
  const registered = (await keys.load()).filter(({ withdrawnAt }) => withdrawnAt === null);
  const settings = { upload: config.API_KEYS, operator: config.OPERATOR_API_KEYS };
  const isOpen = (scope: keyof typeof settings): boolean =>
    settings[scope].length > 0 || registered.some((key) => key.scope === scope);
  if (!isOpen('upload')) log.warn('uploads are closed: API_KEYS is empty and no key is registered for them');

  const hl7Tls = files(config.HL7_TLS_CERTIFICATE, config.HL7_TLS_KEY, config.HL7_TLS_CLIENT_CA);
  const addresses = config.HL7_ALLOWED_ADDRESSES;
  const senders = config.HL7_ALLOWED_SENDERS;
  const knowsItsOwn = !config.HL7_PLAIN && config.HL7_TLS_CLIENT_CA !== undefined;
  if (addresses.length === 0 && senders.length === 0 && !knowsItsOwn) {
    log.warn('ANYBODY who reaches the HL7 port may send: HL7_ALLOWED_ADDRESSES and HL7_ALLOWED_SENDERS are empty');
  }
  const https = files(config.HTTPS_CERTIFICATE, config.HTTPS_KEY, config.HTTPS_CLIENT_CA);
  if (https === undefined && config.TRUSTED_PROXIES.length === 0) {
    log.warn('keys and answers go over HTTP unencrypted: neither HTTPS_CERTIFICATE nor TRUSTED_PROXIES is set');
  }
  const isListed = addressMatcher(addresses);
  const doctors = createRateLimit({ limit: DOCTORS_AN_HOUR, windowMs: HOUR_MS, maxKeys: 1 });

  return {
    hl7: {
      admits: (address) => addresses.length === 0 || isListed(address),
      plain: config.HL7_PLAIN,
      tls: hl7Tls && { port: config.HL7_TLS_PORT, files: hl7Tls },
      onRefused,
    },
    http: {
      tls: https,
      trustedProxies: config.TRUSTED_PROXIES,
      maxConnections: config.HTTP_MAX_CONNECTIONS,
      admit: createAdmission({ settings, load: keys.load, markUsed: keys.markUsed, now }),
      limits: createRateLimits(db),
      onRefused,
      log,
    },
    admitHl7: ({ header, raw, remoteAddress }) => {
      if (senders.length === 0 || isAllowedSender(header, senders)) return null;
      const isDoctor = isDoctorsTest(header, raw);
      if (isDoctor && doctors.take('all', now()) === 0) return null;
      onRefused({ what: 'hl7', from: remoteAddress, code: isDoctor ? 'too-many-tests' : 'sender' });
      const controlId = randomBytes(10).toString('hex');
      return isDoctor ? tooManyTestsAck(header, now(), controlId) : strangerAck(header, now(), controlId);
    },
  };
}
