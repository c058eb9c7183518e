import { expect } from 'chai';
import { accessionKey } from '../../../ris/rules/accession.ts';
import { component, segment } from '../../../hl7/rules/message.ts';
import { Hl7Rejection } from '../../../hl7/rules/rejection.ts';
import { isHeavy, MAX_SEGMENTS } from '../../../hl7/rules/limits.ts';
import { phoneCandidates } from '../../../ris/rules/phone.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';

const HEAD = 'MSH|^~\\&|R|F|P|F|20260714||ORU^R01|1|P|2.5.1\r';

// Of a size that quadratic work would take hours for: these tests end or they do not.
describe('what a sender can do to the time and memory of reading', () => {
  it('an OBX broken into very many lines is read whole', () => {
    const line = 'a'.repeat(76);
    const lines = 150_000;
    const message = parseHl7(`${HEAD}OBX|1|FT|R||${line}\r${`${line}\r`.repeat(lines)}`);
    expect(component(segment(message, 'OBX'), 5)).to.have.length(76 + 77 * lines);
  });

  it('an accession number padded without end is compared', () => {
    const padding = ' '.repeat(1_000_000);
    expect(accessionKey(`a${padding}b${padding}^`)).to.equal(`A${padding}B`);
  });

  it('more parts of fields than memory is good for are refused', () => {
    const bomb = `${HEAD}PID|1||${'~'.repeat(600_000)}`;
    expect(() => parseHl7(bomb)).to.throw(Hl7Rejection, /more than 500000/);
  });

  const FRAME = 16 * 1024 * 1024;
  for (const [what, one, reason] of [
    ['segments of four bytes', 'ZZZ\r', /500000 ends of lines/],
    ['segments of five bytes', 'ZZZ|\r', /500000 fields and parts of fields/],
    ['fields', 'PID|a', /500000 fields and parts of fields/],
    ['repetitions', `PID|${'a'.repeat(100)}~`, /50000 repetitions/],
    ['components', '^', /500000 fields and parts of fields/],
    ['segments of forty bytes', `ZZZ|${'a'.repeat(40)}\r`, /20000 segments/],
    ['escapes', '\\X41\\', /500000 escape characters/],
    ['escapes of line ends', '\\.br\\', /500000 escape characters/],
  ] as const) {
    it(`a frame of 16 MB of ${what} is refused by its count, which the reason names`, () => {
      const bomb = HEAD + one.repeat(Math.floor((FRAME - HEAD.length) / one.length));
      expect(() => parseHl7(bomb))
        .to.throw(Hl7Rejection, reason)
        .with.property('errorCode', 102);
    });
  }

  it('as many of each as may be are read, and their fields only where somebody asks', () => {
    const orders = Array.from({ length: MAX_SEGMENTS / 2 - 1 }, (_, at) => `OBR|${at}\rNTE|${at}||a~b\r`).join('');
    const message = parseHl7(`${HEAD}PID|1\r${orders}`);
    expect(message.segments).to.have.length(MAX_SEGMENTS);
    expect(component(message.segments.at(-1), 3, 1, 1)).to.equal('b');
  });

  it('a patient with very many telephone numbers is read by the first of them', () => {
    const numbers = '0412345678^PRN^CP~'.repeat(40_000);
    const message = parseHl7(`${HEAD}PID|||P1||||||||||${numbers}`);
    expect(phoneCandidates(message.segments[1] ?? { name: 'PID', fields: [] }, 13)).to.have.length(50);
  });

  it('frames are heavy by their size or by what parts them, and ordinary messages are not', () => {
    const heavy = (text: string): boolean => isHeavy(Buffer.from(text));
    expect(heavy(`${HEAD}OBX|1|ED|||${'QUJD'.repeat(60_000)}`)).to.equal(false);
    expect(heavy(`${HEAD}OBX|1|ED|||${'QUJD'.repeat(66_000)}`)).to.equal(true);
    expect(heavy(`${HEAD}${'OBX|1|TX|R||a line of a report||||||F\r'.repeat(500)}`)).to.equal(false);
    expect(heavy(`${HEAD}PID|${'~'.repeat(11_000)}`)).to.equal(true);
    expect(heavy(`${HEAD.replaceAll('|', '$')}PID$${'$'.repeat(11_000)}`)).to.equal(true);
    expect(heavy(`${HEAD}PID|${'$'.repeat(11_000)}`)).to.equal(false);
  });
});
