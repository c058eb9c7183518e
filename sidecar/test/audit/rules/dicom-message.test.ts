import { expect } from 'chai';
import fc from 'fast-check';
import { auditXml, syslogMessage } from '../../../audit/rules/dicom-message.ts';
import { AUDIT_EVENTS, AUDIT_OUTCOMES, type AuditRow } from '../../../audit/rules/entry.ts';
import { parseXml, schemaProblems, type Node } from '../../support/audit-xml.ts';

const SIDECAR = { application: 'axis-portal-sidecar', host: 'axis-1', processId: '7' };

const row = (changed: Partial<AuditRow> = {}): AuditRow => ({
  id: 12,
  at: '2026-04-01T02:00:00.000900Z',
  event: 'operator-act',
  who: 'desk: Ann',
  source: '10.0.0.7',
  what: 'link',
  studyInstanceUid: '2.25.1',
  accessionNumber: 'A1',
  hl7MessageId: null,
  outcome: 'ok',
  detail: {},
  hash: 'ab'.repeat(32),
  ...changed,
});

const all = (node: Node, name: string): Node[] => [
  ...(node.name === name ? [node] : []),
  ...node.children.flatMap((child) => all(child, name)),
];
const codes = (node: Node, name: string) => all(node, name).map(({ attributes }) => attributes['csd-code']);
const message = (changed: Partial<AuditRow> = {}): Node => parseXml(auditXml(row(changed), SIDECAR));
const details = (node: Node) =>
  Object.fromEntries(
    all(node, 'ParticipantObjectDetail').map(({ attributes: { type = '', value = '' } }) => [
      type,
      Buffer.from(value, 'base64').toString(),
    ]),
  );

// Whatever a string can be: control characters, quotes, lone surrogates, what XML knows no way to write.
const anything = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 40 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom('<a b="c">&amp;]]>', '\0\u0001\u001f\u007f\u0085\ufffe\uffff\ud800', '\t\r\n', '-->', '&#0;'),
);
const ROWS: fc.Arbitrary<AuditRow> = fc.record({
  id: fc.integer({ min: 1, max: 2 ** 40 }),
  at: fc.constant('2026-04-01T02:00:00.000900Z'),
  event: fc.constantFrom(...AUDIT_EVENTS),
  who: anything,
  source: anything,
  what: anything,
  studyInstanceUid: fc.option(anything),
  accessionNumber: fc.option(anything),
  hl7MessageId: fc.option(fc.constantFrom('1', '99')),
  outcome: fc.constantFrom(...AUDIT_OUTCOMES),
  detail: fc.dictionary(anything, anything),
  hash: fc.constant('ab'.repeat(32)),
});

describe('an audit message (PS3.15 A.5)', () => {
  it('is well-formed XML whatever a row holds, and carries who and detail unharmed', () => {
    fc.assert(
      fc.property(ROWS, (any) => {
        const root = parseXml(auditXml(any, SIDECAR));
        expect(root.name).to.equal('AuditMessage');
        expect(details(root)['detail']).to.equal(Buffer.from(JSON.stringify(any.detail)).toString());
        const legal = any.who
          .toWellFormed()
          .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\uFFFD');
        const users = all(root, 'ActiveParticipant').map(({ attributes }) => attributes['UserID']);
        if (!/^(text|started|stopped)/.test(any.event)) expect(users).to.include(legal === '' ? 'unknown' : legal);
      }),
      { numRuns: 2000 },
    );
  });

  it('is valid by the schema for every event and outcome', () => {
    for (const event of AUDIT_EVENTS) {
      for (const outcome of AUDIT_OUTCOMES) {
        for (const known of [
          {},
          { studyInstanceUid: null },
          { studyInstanceUid: null, accessionNumber: null, who: '' },
        ]) {
          expect(schemaProblems(message({ event, outcome, ...known })), event).to.deep.equal([]);
        }
      }
    }
    expect(schemaProblems(parseXml('<AuditMessage><ActiveParticipant UserID="a"/></AuditMessage>'))).to.have.length(2);
  });

  it('says what happened in the codes of PS3.16', () => {
    const said = AUDIT_EVENTS.map((event) => {
      const root = message({ event });
      return [event, ...codes(root, 'EventID'), ...codes(root, 'EventTypeCode')].join(' ');
    });
    expect(said).to.deep.equal([
      'upload 110104',
      'upload-refused 110104',
      'access-refused 110113 110126',
      'hl7-refused-sender 110113 110126',
      'operator-act 110111',
      'operator-view 110111',
      'replay 110111',
      'text-sent 110106',
      'text-failed 110106',
      'text-held 110111',
      'opt-out 110111',
      'opt-in 110111',
      'key-made 110113 110137',
      'key-withdrawn 110113 110137',
      'started 110100 110120',
      'stopped 110100 110121',
      'audit-read 110101',
      'audit-forgotten 110113 110135',
      'audit-lost 110113 110133',
    ]);
  });

  it('tells who from where did what on which study, and how it ended', () => {
    const root = message({ event: 'upload', source: '2001:db8::7', outcome: 'ok' });
    const [sender, sidecar] = all(root, 'ActiveParticipant');
    expect(sender!.attributes).to.deep.equal({
      UserID: 'desk: Ann',
      UserIsRequestor: 'true',
      NetworkAccessPointID: '2001:db8::7',
      NetworkAccessPointTypeCode: '2',
    });
    expect([codes(sender!, 'RoleIDCode'), codes(sidecar!, 'RoleIDCode')]).to.deep.equal([['110153'], ['110152']]);
    const [study, log] = all(root, 'ParticipantObjectIdentification');
    expect(study!.attributes).to.include({ ParticipantObjectID: '2.25.1', ParticipantObjectTypeCodeRole: '3' });
    expect(codes(study!, 'ParticipantObjectIDTypeCode')).to.deep.equal(['110180']);
    expect(all(study!, 'Accession')[0]!.attributes).to.deep.equal({ Number: 'A1' });
    expect(log!.attributes['ParticipantObjectID']).to.equal('axis-portal-sidecar/audit_log#12');
    expect(details(root)).to.include({ event: 'upload', hash: 'ab'.repeat(32) });
    expect(all(message({ outcome: 'refused' }), 'EventIdentification')[0]!.attributes).to.include({
      EventOutcomeIndicator: '8',
      EventDateTime: '2026-04-01T02:00:00.000900Z',
    });
    expect(
      details(message({ event: 'access-refused', what: 'upload', outcome: 'refused' }))['Alert Description'],
    ).to.equal('access-refused: upload, refused');
  });
});

describe('a syslog message (RFC 5424)', () => {
  it('has the priority and MSGID of PS3.15 A.6, the row’s id, and UTF-8 that begins with a BOM', () => {
    const text = syslogMessage(row({ who: 'Zoë' }), SIDECAR);
    const header =
      '<85>1 2026-04-01T02:00:00.000900Z axis-1 axis-portal-sidecar 7 DICOM+RFC3881 [meta sequenceId="12"] \uFEFF<?xml';
    expect(text.slice(0, header.length)).to.equal(header);
  });

  it('keeps to the fields’ alphabet and lengths, and to the largest sequence number', () => {
    const odd = { application: 'a b', host: 'ü', processId: '9'.repeat(200) };
    const [, , host, application, process] = syslogMessage(row({ id: 2_147_483_648 }), odd).split(' ');
    expect([host, application, process!.length]).to.deep.equal(['-', 'ab', 128]);
    expect(syslogMessage(row({ id: 2_147_483_648 }), SIDECAR)).to.contain('sequenceId="1"');
    expect(syslogMessage(row({ id: 2_147_483_647 }), SIDECAR)).to.contain('sequenceId="2147483647"');
  });
});
