import { expect } from 'chai';
import { accessionKey } from '../../../ris/rules/accession.ts';
import { component, segment } from '../../../hl7/rules/message.ts';
import { Hl7Rejection } from '../../../hl7/rules/rejection.ts';
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
});
