import { expect } from 'chai';
import { buildAck, type Answer } from '../../../hl7/rules/ack.ts';
import { acknowledgmentsAsked } from '../../../hl7/rules/enhanced.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';

const NOW = new Date('2026-04-01T00:00:00Z');
const ANSWERS: Readonly<Record<string, Answer>> = {
  AA: { code: 'AA' },
  AE: { code: 'AE', text: 'try again later', errorCode: 207 },
  AR: { code: 'AR', text: 'PID segment missing', errorCode: 100, location: { segment: 'PID' } },
  kind: { code: 'AR', text: 'not taken', errorCode: 200, location: { segment: 'MSH', ordinal: 1, field: 9 } },
};

/** MSA-1 of each acknowledgment that is sent. */
function sent(asked: string, answer: keyof typeof ANSWERS, version = '2.5.1'): string[] {
  const message = parseHl7(`MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|20260401||ADT^A08|42|P|${version}|||${asked}\r`);
  const acknowledgment = buildAck(message, ANSWERS[answer] ?? { code: 'AA' }, NOW, 'first');
  const all = acknowledgmentsAsked(message, acknowledgment, () => 'second');
  expect(new Set(all.map((one) => one.split('|')[9])).size, 'control ids').to.equal(all.length);
  return all.map((one) => {
    const [, code, controlId] = /\rMSA\|(\w\w)\|(\w+)/.exec(one) ?? [];
    expect(controlId).to.equal('42');
    expect(one.includes('\rERR|'), one).to.equal(code?.endsWith('A') === false);
    return code ?? '';
  });
}

describe('acknowledgments as MSH-15 and MSH-16 ask for them', () => {
  it('are those of the original mode where neither asks, or asks for what is in no table', () => {
    for (const asked of ['', '|', 'X|', '|YES', '""|""']) {
      expect([sent(asked, 'AA'), sent(asked, 'AE'), sent(asked, 'AR')], asked).to.deep.equal([['AA'], ['AE'], ['AR']]);
    }
  });

  for (const [asked, good, later, refused, kind] of [
    ['AL|NE', ['CA'], ['CE'], ['CR'], ['CR']],
    ['AL', ['CA'], ['CE'], ['CR'], ['CR']],
    ['al|ne', ['CA'], ['CE'], ['CR'], ['CR']],
    ['NE|NE', [], [], [], []],
    ['ER|NE', [], ['CE'], ['CR'], ['CR']],
    ['SU|NE', ['CA'], [], [], []],
    ['AL|AL', ['CA', 'AA'], ['CE'], ['CA', 'AR'], ['CR']],
    ['NE|AL', ['AA'], [], ['AR'], []],
    ['AL|ER', ['CA'], ['CE'], ['CA', 'AR'], ['CR']],
    ['AL|SU', ['CA', 'AA'], ['CE'], ['CR'], ['CR']],
    ['ER|AL', ['AA'], ['CE'], ['AR'], ['CR']],
    ['|AL', ['AA'], [], ['AR'], []],
  ] as const) {
    it(`are ${good.join(' ') || 'none'} for what was taken, with ${asked}`, () => {
      for (const version of ['2.2', '2.5.1']) {
        const all = (['AA', 'AE', 'AR', 'kind'] as const).map((answer) => sent(asked, answer, version));
        expect(all, version).to.deep.equal([good, later, refused, kind]);
      }
    });
  }

  it('are the one there is where the message could not be read', () => {
    const acknowledgment = buildAck(undefined, { code: 'AR', text: 'no MSH', errorCode: 100 }, NOW, 'n');
    expect(acknowledgmentsAsked(null, acknowledgment, () => 'm')).to.deep.equal([acknowledgment]);
  });
});
