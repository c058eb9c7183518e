import { expect } from 'chai';
import fc from 'fast-check';
import { readOrder, readPatientUpdate, readReport } from '../../../ris/rules/read.ts';
import type { MessageFacts } from '../../../ris/rules/facts.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';
import { Hl7Rejection } from '../../../hl7/rules/rejection.ts';
import { seg, SETTINGS } from '../../support/hl7-messages.ts';

const RECEIVED = new Date('2026-11-30T03:00:00Z');
const MSH = 'MSH|^~\\&|Voyager||AXIS||20261130101500||ORM^O01|1|P|2.3';
const PID = seg('PID', { 1: '1', 2: '20881', 3: '20881', 4: '20881', 5: 'Sample^Mei', 7: '19300104', 8: 'F', 13: '0491570156', 14: '0491570156' }); // prettier-ignore
const NUMBERS = {
  2: '64-CT',
  3: '64-CT',
  18: '64-CT',
  4: 'X^CT brain',
  21: 'CT',
  24: 'CT',
  7: '2026113010150900',
  36: '20261130101509',
};
/** Says all twice, so that whatever is left says the same. */
const ORDER = [MSH, PID, seg('ORC', { 1: 'NW', 2: '64-CT', 3: '64-CT', 5: 'IP' }), seg('OBR', NUMBERS), seg('IPC', { 1: '64-CT', 5: 'CT' })]; // prettier-ignore
const REPORT = [MSH, PID, seg('OBR', { ...NUMBERS, 25: 'F' }), seg('OBX', { 2: 'TX', 5: 'Normal.', 11: 'F' })];

const nothing = null;
function readAny(read: typeof readOrder, lines: readonly string[]): MessageFacts | null {
  try {
    return read(parseHl7(`${lines.join('\r')}\r`), SETTINGS, RECEIVED);
  } catch (error) {
    if (error instanceof Hl7Rejection) return nothing;
    throw error;
  }
}

/** These fields of these segments emptied, or filled with something else; never a segment's name or MSH-1 and 2. */
const change = (lines: readonly string[], changes: readonly (readonly [number, number])[], value: string): string[] =>
  lines.map((line, at) => {
    const fields = line.split('|');
    const chosen = new Set(changes.filter(([segment]) => segment % lines.length === at).map(([, field]) => field));
    return fields.map((text, field) => (field > (at === 0 ? 1 : 0) && chosen.has(field) ? value : text)).join('|');
  });
const changes = fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 40 })), { maxLength: 25 });

/** What is said of one thing, without what is not said. */
const told = (of: object): [string, unknown][] =>
  Object.entries(of).filter(([name, value]) => value !== undefined && name !== 'elsewhere');

describe('a message with fewer fields', () => {
  for (const [what, read, lines] of [
    ['an order', readOrder, ORDER],
    ['a report', readReport, REPORT],
  ] as const) {
    it(`says a part of what ${what} said, or is refused`, () => {
      const whole = readAny(read, lines);
      const study = whole?.orders[0]?.study ?? whole?.reports[0]?.report.study ?? {};
      let taken = 0;
      fc.assert(
        fc.property(changes, (chosen) => {
          const facts = readAny(read, change(lines, chosen, ''));
          if (facts === null) return;
          taken += 1;
          const left = facts.orders[0]?.study ?? facts.reports[0]?.report.study ?? {};
          for (const pair of told(left)) expect(told(study)).to.deep.include(pair);
          const [patient, before] = [facts.patients[0], whole?.patients[0]];
          for (const pair of told(patient ?? {}).filter(([name]) => name !== 'issuer' && name !== 'phones'))
            expect(told(before ?? {})).to.deep.include(pair);
          for (const pair of told(patient?.phones ?? {})) expect(told(before?.phones ?? {})).to.deep.include(pair);
        }),
        { numRuns: 1500 },
      );
      expect(taken).to.be.greaterThan(100);
    });
  }
});

describe('any field at all', () => {
  const odd = fc.oneof(
    fc.constantFrom(
      '""',
      'Dr Jane Roe',
      'Roe^Jane',
      '0491570156 (wife)',
      '2123456701',
      'A^B&C~D',
      '20261399',
      'constructor',
    ),
    fc.string({ unit: 'binary', maxLength: 80 }).map((text) => text.replace(/[\r\n|]/g, '')),
  );

  it('is read or refused, and no warning or reason holds what it says', () => {
    let warned = 0;
    const secret = 'QXSECRET';
    fc.assert(
      fc.property(changes, odd, fc.constantFrom(ORDER, REPORT), (chosen, value, lines) => {
        for (const read of [readOrder, readReport, readPatientUpdate]) {
          readAny(read, change(lines, chosen, value));
          try {
            const text = change(lines, chosen, `${secret} ${value}`).join('\r');
            const { warnings } = read(parseHl7(text), SETTINGS, RECEIVED);
            expect(JSON.stringify(warnings)).not.to.include(secret);
            warned += warnings.length;
          } catch (error) {
            if (!(error instanceof Hl7Rejection)) throw error;
            expect(error.message).not.to.include(secret);
          }
        }
      }),
      { numRuns: 1000 },
    );
    expect(warned).to.be.greaterThan(100);
  });
});
