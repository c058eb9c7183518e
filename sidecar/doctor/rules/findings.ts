import { DOCTOR } from '../../hl7/rules/test-message.ts';
/** `warn`: works, but a person should look; `fail`: must be mended before the first patient. */
export type Level = 'ok' | 'warn' | 'fail';

export interface Finding {
  readonly level: Level;
  readonly seen: string;
  /** What a person should do about it; always there unless it is `ok`. */
  readonly todo?: string;
}

export interface Result extends Finding {
  readonly check: string;
}

const DAY_MS = 86_400_000;
const CLOCK_WARN_S = 2;
const CLOCK_FAIL_S = 30;
const CERTIFICATE_WARN_DAYS = 21;
const CERTIFICATE_FAIL_DAYS = 3;
const FREE_WARN = 0.1;
const FREE_FAIL = 0.03;

export const ok = (seen: string): Finding => ({ level: 'ok', seen });
export const warn = (seen: string, todo: string): Finding => ({ level: 'warn', seen, todo });
export const fail = (seen: string, todo: string): Finding => ({ level: 'fail', seen, todo });

/** One finding of several: as bad as the worst, with what was seen of all and what to do about those that are not ok. */
export function together(findings: readonly Finding[]): Finding {
  const level = findings.some((one) => one.level === 'fail')
    ? 'fail'
    : findings.some((one) => one.level === 'warn')
      ? 'warn'
      : 'ok';
  const todo = [...new Set(findings.flatMap((one) => one.todo ?? []))].join(' ');
  return { level, seen: findings.map(({ seen }) => seen).join('; '), ...(todo !== '' && { todo }) };
}

/** How far a clock is from this machine's, in seconds, ahead of it where positive. */
export function judgeClock(whose: string, seconds: number): Finding {
  const off = Math.abs(seconds);
  const seen = `${whose}: ${off < 1 ? 'within a second' : `${off.toFixed(1)} s ${seconds > 0 ? 'ahead' : 'behind'}`}`;
  if (off <= CLOCK_WARN_S) return ok(seen);
  const todo = 'Have both machines keep time by NTP (timedatectl).';
  return off <= CLOCK_FAIL_S ? warn(seen, todo) : fail(seen, todo);
}

export function judgeCertificate(setting: string, end: Date, now: Date): Finding {
  const days = (end.getTime() - now.getTime()) / DAY_MS;
  const seen = `${setting}: ${days < 0 ? 'ended' : 'ends'} ${end.toISOString().slice(0, 10)}`;
  if (days > CERTIFICATE_WARN_DAYS) return ok(seen);
  const todo = 'Put a new certificate into that file and restart what reads it.';
  return days > CERTIFICATE_FAIL_DAYS ? warn(seen, todo) : fail(seen, todo);
}

export function judgeDisk(path: string, free: number, size: number): Finding {
  const seen = `${path}: ${(free / 1024 ** 3).toFixed(1)} of ${(size / 1024 ** 3).toFixed(1)} GiB free`;
  const part = size === 0 ? 1 : free / size;
  if (part > FREE_WARN) return ok(seen);
  const todo = 'Make room or a larger disk: Orthanc refuses images once its disk is full.';
  return part > FREE_FAIL ? warn(seen, todo) : fail(seen, todo);
}

const ORDERLESS_WARN = 0.2;
const ORDERLESS_FEW = 4;

/** Texts of reports, and those of them that wait for an order; `needed`: whether one is needed for a text. */
export function judgeOrders(texts: number, waiting: number, needed: boolean): Finding {
  if (!needed) return ok('texts go out without orders (TEXT_WITHOUT_ORDER)');
  const seen = `${waiting} of ${texts} texts of the last week wait for an order`;
  if (waiting <= ORDERLESS_FEW || waiting / texts <= ORDERLESS_WARN) return ok(seen);
  return warn(seen, 'See that the RIS sends its orders. Of one that sends none, set TEXT_WITHOUT_ORDER=true.');
}

/** Settings that are right for trying it out and wrong for patients. */
export function judgeSettings(
  config: { readonly ORTHANC_PASSWORD: string; readonly DATABASE_URL: string; readonly PORTAL_URL: string },
  blobKey: { readonly setting: string; readonly isForDevelopment: boolean },
): Finding {
  const wrong = [
    config.ORTHANC_PASSWORD.includes('development-only') && 'ORTHANC_PASSWORD',
    config.DATABASE_URL.includes('development-only') && 'POSTGRES_PASSWORD',
    blobKey.isForDevelopment && blobKey.setting,
    /\bexample\b/.test(config.PORTAL_URL) && 'PORTAL_URL',
  ].filter((name) => name !== false);
  if (wrong.length === 0) return ok('none is for development');
  return warn(
    `for development only: ${wrong.join(', ')}`,
    'Set them before the first patient (.env.example, first part).',
  );
}

/** What HL7 answered to a test message: MSA-1 and MSA-2 must be its own. */
export function judgeAck(acknowledgment: string, controlId: string): Finding {
  const [, code = '', id = '', text = ''] = /\rMSA\|([^|\r]*)\|([^|\r]*)\|?([^|\r]*)/.exec(acknowledgment) ?? [];
  if (code === 'AA' && id === controlId) return ok('answered AA');
  const seen = code === '' ? 'the answer is no acknowledgment' : `answered ${code}${text === '' ? '' : `: ${text}`}`;
  return fail(seen, 'See the log of the sidecar; AE means that Postgres is away.');
}

/** 2.25 and a UUID as one number (PS3.5 B.2). */
export function uidOf(uuid: string): string {
  return `2.25.${BigInt(`0x${uuid.replaceAll('-', '')}`)}`;
}
const SIDE = 64;

/**
 * A test image: Secondary Capture, 64 x 64, a ramp of grey (PS3.3 A.8.1). It has no accession number, no dates and UIDs of
 * its own, so that no rule can link it to an order: it is provisional, and nobody is texted.
 */
export function phantomElements(uids: { study: string; series: string; instance: string }): Record<string, unknown> {
  return {
    _vrMap: { PixelData: 'OB' },
    SpecificCharacterSet: 'ISO_IR 192',
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.7',
    SOPInstanceUID: uids.instance,
    StudyInstanceUID: uids.study,
    SeriesInstanceUID: uids.series,
    PatientID: DOCTOR,
    PatientName: 'DOCTOR^AXIS',
    PatientBirthDate: '',
    PatientSex: '',
    StudyDate: '',
    StudyTime: '',
    AccessionNumber: '',
    ReferringPhysicianName: '',
    StudyID: '',
    StudyDescription: 'AXIS DOCTOR TEST IMAGE',
    Modality: 'OT',
    ConversionType: 'SYN',
    SeriesNumber: 1,
    InstanceNumber: 1,
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    Rows: SIDE,
    Columns: SIDE,
    BitsAllocated: 8,
    BitsStored: 8,
    HighBit: 7,
    PixelRepresentation: 0,
    PixelData: [Uint8Array.from({ length: SIDE * SIDE }, (_, at) => (at % SIDE) * 4).buffer],
  };
}
