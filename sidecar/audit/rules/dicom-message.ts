import type { AuditEvent, AuditRow } from './entry.ts';

interface Code {
  readonly code: string;
  readonly system: 'DCM' | 'RFC-3881';
  readonly meaning: string;
}

const dcm = (code: string, meaning: string): Code => ({ code, system: 'DCM', meaning });

const TRANSFERRED = dcm('110104', 'DICOM Instances Transferred');
const PROCEDURE_RECORD = dcm('110111', 'Procedure Record');
const SECURITY_ALERT = dcm('110113', 'Security Alert');
const APPLICATION_ACTIVITY = dcm('110100', 'Application Activity');
const EXPORT = dcm('110106', 'Export');
const NODE_AUTHENTICATION = dcm('110126', 'Node Authentication');
const USER_ATTRIBUTES = dcm('110137', 'User Security Attributes Changed');

const SOURCE = dcm('110153', 'Source Role ID');
const DESTINATION = dcm('110152', 'Destination Role ID');
const DESTINATION_MEDIA = dcm('110154', 'Destination Media');
const APPLICATION = dcm('110150', 'Application');
const URI_MEDIA = dcm('110037', 'URI');

const STUDY_UID = dcm('110180', 'Study Instance UID');
const ACCESSION = dcm('121022', 'Accession Number');
const NODE_ID = dcm('110182', 'Node ID');
const URI: Code = { code: '12', system: 'RFC-3881', meaning: 'URI' };

interface Kind {
  readonly id: Code;
  readonly type?: Code;
  readonly action: 'C' | 'R' | 'U' | 'D' | 'E';
  /** Its participants: who did it and the sidecar, in these roles. */
  readonly roles: 'transfer' | 'export' | 'application' | 'plain';
}

/** PS3.16 CID 400 and 401; which event is which message of PS3.15 A.5.3. */
const KINDS: Readonly<Record<AuditEvent, Kind>> = {
  upload: { id: TRANSFERRED, action: 'C', roles: 'transfer' },
  'upload-refused': { id: TRANSFERRED, action: 'C', roles: 'transfer' },
  'access-refused': { id: SECURITY_ALERT, type: NODE_AUTHENTICATION, action: 'E', roles: 'plain' },
  'hl7-refused-sender': { id: SECURITY_ALERT, type: NODE_AUTHENTICATION, action: 'E', roles: 'plain' },
  'operator-act': { id: PROCEDURE_RECORD, action: 'U', roles: 'plain' },
  'operator-view': { id: PROCEDURE_RECORD, action: 'R', roles: 'plain' },
  replay: { id: PROCEDURE_RECORD, action: 'U', roles: 'plain' },
  'text-sent': { id: EXPORT, action: 'R', roles: 'export' },
  'text-failed': { id: EXPORT, action: 'R', roles: 'export' },
  'text-held': { id: PROCEDURE_RECORD, action: 'U', roles: 'plain' },
  'opt-out': { id: PROCEDURE_RECORD, action: 'U', roles: 'plain' },
  'opt-in': { id: PROCEDURE_RECORD, action: 'U', roles: 'plain' },
  'key-made': { id: SECURITY_ALERT, type: USER_ATTRIBUTES, action: 'E', roles: 'plain' },
  'key-withdrawn': { id: SECURITY_ALERT, type: USER_ATTRIBUTES, action: 'E', roles: 'plain' },
  started: { id: APPLICATION_ACTIVITY, type: dcm('110120', 'Application Start'), action: 'E', roles: 'application' },
  stopped: { id: APPLICATION_ACTIVITY, type: dcm('110121', 'Application Stop'), action: 'E', roles: 'application' },
  'audit-read': { id: dcm('110101', 'Audit Log Used'), action: 'R', roles: 'plain' },
  'audit-forgotten': {
    id: SECURITY_ALERT,
    type: dcm('110135', 'Object Security Attributes Changed'),
    action: 'E',
    roles: 'plain',
  },
  'audit-lost': { id: SECURITY_ALERT, type: dcm('110133', 'Audit Recording Stopped'), action: 'E', roles: 'plain' },
};

/** PS3.15 table A.5.2-1: 0 success, 8 serious failure (the action was ended). */
const OUTCOME = { ok: '0', refused: '8', failed: '8' } as const;

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\t': '&#9;', '\n': '&#10;', '\r': '&#13;',
}; // prettier-ignore

/** `text` inside an attribute or element; what XML 1.0 (2.2) cannot hold at all becomes U+FFFD. */
const escaped = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replace(/[&<>"\t\n\r]/g, (character) => ESCAPES[character] ?? '');

function element(name: string, attributes: Readonly<Record<string, string | null>>, ...content: readonly string[]) {
  const said = Object.entries(attributes)
    .filter((pair): pair is [string, string] => pair[1] !== null)
    .map(([key, value]) => ` ${key}="${escaped(value)}"`)
    .join('');
  return content.length === 0 ? `<${name}${said}/>` : `<${name}${said}>${content.join('')}</${name}>`;
}

const coded = (name: string, { code, system, meaning }: Code): string =>
  element(name, { 'csd-code': code, codeSystemName: system, originalText: meaning });

const IP = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:]+:[0-9a-f:.]+)$/i;

function participant(
  { userId, requestor, from = '' }: { userId: string; requestor: boolean; from?: string },
  role?: Code,
  media?: Code,
): string {
  return element(
    'ActiveParticipant',
    {
      UserID: userId,
      UserIsRequestor: String(requestor),
      NetworkAccessPointID: from === '' ? null : from,
      // PS3.15 table A.5.2-1: 1 a machine's name, 2 an IP address.
      NetworkAccessPointTypeCode: from === '' ? null : IP.test(from) ? '2' : '1',
    },
    ...(role === undefined ? [] : [coded('RoleIDCode', role)]),
    ...(media === undefined ? [] : [element('MediaIdentifier', {}, coded('MediaType', media))]),
  );
}

/** Who is meant where nobody is known: the schema wants a name. */
const NOBODY = 'unknown';

function participants({ who, source: from }: AuditRow, roles: Kind['roles'], sidecar: string): string {
  const person = who === '' ? NOBODY : who;
  const self = { userId: sidecar, requestor: false };
  switch (roles) {
    case 'transfer':
      return participant({ userId: person, requestor: true, from }, SOURCE) + participant(self, DESTINATION);
    case 'export':
      return (
        participant({ userId: sidecar, requestor: true }, SOURCE) +
        participant({ userId: 'text message', requestor: false }, DESTINATION_MEDIA, URI_MEDIA)
      );
    case 'application':
      return participant({ ...self, from }, APPLICATION);
    case 'plain':
      return participant(self) + participant({ userId: person, requestor: person !== NOBODY, from });
  }
}

/** Standard base64 of UTF-8 (RFC 4648), as `ParticipantObjectDetail` carries its values. */
function base64(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const bytes = new TextEncoder().encode(text);
  let encoded = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const [first = 0, second, third] = bytes.subarray(at, at + 3);
    const bits = (first << 16) | ((second ?? 0) << 8) | (third ?? 0);
    const letter = (shift: number): string => alphabet.charAt((bits >> shift) & 63);
    encoded +=
      letter(18) + letter(12) + (second === undefined ? '=' : letter(6)) + (third === undefined ? '=' : letter(0));
  }
  return encoded;
}

const detail = (type: string, value: string): string =>
  element('ParticipantObjectDetail', { type, value: base64(value) });

function object(
  id: { readonly text: string; readonly type: Code; readonly role: '3' | '13'; readonly name: string },
  ...more: readonly string[]
): string {
  return element(
    'ParticipantObjectIdentification',
    { ParticipantObjectID: id.text, ParticipantObjectTypeCode: '2', ParticipantObjectTypeCodeRole: id.role },
    coded('ParticipantObjectIDTypeCode', id.type),
    element('ParticipantObjectName', {}, escaped(id.name)),
    ...more,
  );
}

function study({ studyInstanceUid, accessionNumber }: AuditRow): string {
  if (studyInstanceUid === null && accessionNumber === null) return '';
  const accession =
    accessionNumber === null
      ? []
      : [element('ParticipantObjectDescription', {}, element('Accession', { Number: accessionNumber }))];
  const text = studyInstanceUid ?? accessionNumber ?? '';
  const type = studyInstanceUid === null ? ACCESSION : STUDY_UID;
  return object({ text, type, role: '3', name: 'study' }, ...accession);
}

/** What a security alert is about: the node (PS3.15 A.5.3.11). */
function alertSubject({ source, event, what, outcome }: AuditRow, kind: Kind): string {
  if (kind.id !== SECURITY_ALERT) return '';
  const text = source === '' ? NOBODY : source;
  const description = detail('Alert Description', `${event}: ${what}, ${outcome}`);
  return object({ text, type: NODE_ID, role: '13', name: 'node' }, description);
}

/** The row itself, with all that the standard's fields have no place for: an extension that the schema allows. */
function entry(row: AuditRow, log: string): string {
  const { id, event, what, outcome, hl7MessageId, hash } = row;
  const said = {
    event,
    what,
    outcome,
    ...(hl7MessageId !== null && { hl7MessageId }),
    hash,
    detail: JSON.stringify(row.detail),
  };
  const name = event === 'audit-read' ? 'Security Audit Log' : 'audit log row';
  return object(
    { text: `${log}#${id}`, type: URI, role: '13', name },
    ...Object.entries(said).map(([type, value]) => detail(type, value)),
  );
}

export interface AuditSource {
  /** How this sidecar is called in messages. */
  readonly application: string;
  readonly host: string;
  readonly processId: string;
}

/**
 * The audit message of a row, as XML of the DICOM Audit Message Schema (PS3.15 A.5.1, which took over from RFC 3881).
 * Always well-formed, whatever the row holds. It has no patient object, which the tables of PS3.15 A.5.3 ask for: the log
 * knows no patients on purpose.
 */
export function auditXml(row: AuditRow, { application }: AuditSource): string {
  const kind = KINDS[row.event];
  const event = element(
    'EventIdentification',
    { EventActionCode: kind.action, EventDateTime: row.at, EventOutcomeIndicator: OUTCOME[row.outcome] },
    coded('EventID', kind.id),
    ...(kind.type === undefined ? [] : [coded('EventTypeCode', kind.type)]),
  );
  // 4: an application server process (PS3.15 table A.5.1.2.1).
  const source = element(
    'AuditSourceIdentification',
    { AuditSourceID: application },
    element('AuditSourceTypeCode', { 'csd-code': '4' }),
  );
  const objects = study(row) + alertSubject(row, kind) + entry(row, `${application}/audit_log`);
  const message = element('AuditMessage', {}, event, participants(row, kind.roles, application), source, objects);
  return `<?xml version="1.0" encoding="UTF-8"?>${message}`;
}

/** Facility 10 (security), severity 5 (notice): PS3.15 A.6. */
const PRIORITY = 10 * 8 + 5;
const MAX_SEQUENCE = 2_147_483_647;

/** A header field of RFC 5424: printable US-ASCII, bounded; `-` for none. */
const header = (text: string, length: number): string => text.replace(/[^!-~]/g, '').slice(0, length) || '-';

/**
 * The row as one syslog message (RFC 5424), without framing. Its MSGID is the one of PS3.15 A.6; `meta sequenceId` (7.3)
 * is the row's id, counted on from 1 after 2,147,483,647; the text begins with the BOM (6.4).
 */
export function syslogMessage(row: AuditRow, source: AuditSource): string {
  const { application, host, processId } = source;
  const sequence = ((row.id - 1) % MAX_SEQUENCE) + 1;
  const fields = [row.at, header(host, 255), header(application, 48), header(processId, 128), 'DICOM+RFC3881'];
  return `<${PRIORITY}>1 ${fields.join(' ')} [meta sequenceId="${sequence}"] \uFEFF${auditXml(row, source)}`;
}
