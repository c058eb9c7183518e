import { expect } from 'chai';
import fc from 'fast-check';
import { readFrame } from '../../../hl7/io/listener.ts';
import { readPatientMessage } from '../../../ris/rules/patient-update.ts';
import type { Hl7Message } from '../../../hl7/rules/message.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';
import { Hl7Rejection } from '../../../hl7/rules/rejection.ts';
import { readOrderMessage } from '../../../ris/rules/order.ts';
import { readReportMessage } from '../../../ris/rules/report.ts';
import { SETTINGS } from '../../support/hl7-messages.ts';

const parsed = (...lines: string[]): Hl7Message => {
  const { message, problem } = readFrame(Buffer.from(lines.join('\r')));
  expect(problem).to.equal(null);
  if (message === null) throw new Error('was not read');
  return message;
};

describe('messages of HL7 2.1 to 2.8', () => {
  it('are read where the type has no event and the patient number no type (2.1)', () => {
    const { patient, orders } = readOrderMessage(
      parsed(
        'MSH|^~\\&|RIS||||198804011200||ORM|1|P|2.1',
        'PID|||123456||DOE^JANE||19500203',
        'ORC|NW|P1|F1',
        'OBR|1|P1|F1|71020^CHEST',
      ),
      SETTINGS,
    );
    expect(patient).to.include({ externalId: '123456', issuer: '', name: 'DOE^JANE', birthDate: '1950-02-03' });
    expect(orders.map(({ study }) => study.accessionNumber)).to.deep.equal(['F1']);
  });

  it('are read where ADT names its event in EVN only (2.1)', () => {
    const message = parsed('MSH|^~\\&|RIS||||198804011200||ADT|1|P|2.1', 'EVN|A08', 'PID|||123456^5^M11||DOE^JANE');
    expect(readPatientMessage(message, SETTINGS)).to.have.nested.property('patient.externalId', '123456');
  });

  it('are read where MSH-2 names a truncation character, whose escape is it (2.7 and later)', () => {
    const message = parsed(
      'MSH|^~\\&#|RIS|A|B|C|20260401120000.1234+1000||ORU^R01^ORU_R01|1|P|2.8',
      'PID|||P1^^^CLINIC^MR||Doe^Jane',
      'OBR|1||F1||||||||||||||||||||||F',
      'OBX|1|TX|||1 \\P\\ 2#||||||F',
    );
    expect(readReportMessage(message, SETTINGS).reports[0]?.body).to.equal('1 # 2#');
    expect(parseHl7('MSH|^~\\&|\\P\\').segments[0]?.fields[3]).to.deep.equal([[['\\P\\']]]);
  });
});

describe('messages of HL7 2.7 and later', () => {
  it('are read without the fields of OBR that are withdrawn, and past PRT', () => {
    const { patient, orders } = readOrderMessage(
      parsed(
        'MSH|^~\\&#|RIS|A|B|C|20260401120000.1234+1000||OMI^O23^OMI_O23|1|P|2.8',
        `PID|||P1^^^CLINIC&1.2.3&ISO^MR||Doe^Jane||19800203|F${'|'.repeat(32)}^PRS^CP^^^^^^^^^0412345678`,
        'PV1|1|O',
        'ORC|NW|PL1|FI1',
        'PRT|1|AD||OP',
        'TQ1|1||||||202604021430',
        'OBR|1|PL1|FI1|CTHEAD^CT Head',
        'PRT|2|AD||RT',
        'IPC|ACC1|RP1|1.2.3.4|SPS1|CT',
      ),
      SETTINGS,
    );
    expect(patient).to.include({ externalId: 'P1', issuer: 'CLINIC', phoneNumber: '+61412345678' });
    expect(orders.map(({ study }) => study)).to.deep.equal([
      {
        accessionNumber: 'ACC1',
        placerOrderNumber: 'PL1',
        fillerOrderNumber: 'FI1',
        studyInstanceUid: '1.2.3.4',
        modality: 'CT',
        procedureCode: 'CTHEAD',
        procedureDescription: 'CT Head',
        scheduled: { instant: new Date('2026-04-02T03:30:00Z'), localDate: '2026-04-02' },
      },
    ]);
  });
});

describe('any message at all', () => {
  const piece = fc.oneof(
    fc.constantFrom('', '""', '^', '~', '&', '\\', '\\X41\\', '0', 'F', 'P', 'X', 'NW', 'CA', 'TX', 'ED', 'NM', 'SN'),
    fc.constantFrom('__proto__', 'constructor', 'toString', 'ACC1', '20260401', '0412345678', '^a^PDF^Base64^JVBE'),
    fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replace(/[\r\n|]/g, '')),
  );
  const line = fc
    .tuple(fc.constantFrom('PID', 'ORC', 'OBR', 'OBX', 'NTE', 'IPC', 'ZDS', 'TQ1', 'MRG', 'EVN'), fc.array(piece, { maxLength: 45 }))
    .map(([name, fields]) => [name, ...fields].join('|')); // prettier-ignore
  const lines = fc
    .tuple(fc.array(line, { maxLength: 8 }), fc.boolean())
    .map(([all, whole]) => (whole ? ['PID|||P1', 'ORC|NW', 'OBR|||ACC1', ...all] : all));

  it('gives the same facts each time or an Hl7Rejection, and never a text with a NUL', () => {
    let taken = 0;
    fc.assert(
      fc.property(lines, fc.constantFrom('A08', 'A40'), (all, event) => {
        for (const read of [readOrderMessage, readReportMessage, readPatientMessage]) {
          try {
            const message = parseHl7(['MSH|^~\\&|RIS|CLINIC|||||ADT^' + event + '|1|P|2.5.1', ...all].join('\r'));
            const facts = read(message, SETTINGS);
            expect(JSON.stringify(facts)).not.to.include('\\u0000');
            expect(read(message, SETTINGS)).to.deep.equal(facts);
            taken += 1;
          } catch (error) {
            if (!(error instanceof Hl7Rejection)) throw error;
          }
        }
      }),
      { numRuns: 2000 },
    );
    expect(taken).to.be.greaterThan(500);
  });
});
