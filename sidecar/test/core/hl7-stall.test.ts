import { expect } from 'chai';
import { accessionKey } from '../../core/accession.ts';
import { Hl7Rejection } from '../../core/hl7-rejection.ts';
import { parseHl7 } from '../../core/hl7-parse.ts';

const HEAD = 'MSH|^~\\&|R|F|P|F|20260714||ORU^R01|1|P|2.5.1\r';

/** Work on `size` pieces against work on ten times as many: about ten times as much, never a hundred. */
function growth(work: (size: number) => void, size: number): number {
  const time = (pieces: number): number => {
    const start = process.hrtime.bigint();
    work(pieces);
    return Number(process.hrtime.bigint() - start);
  };
  time(size);
  return time(10 * size) / Math.max(time(size), 200_000);
}

describe('what a sender can do to the time and memory of reading', () => {
  it('an OBX broken into very many lines takes time in proportion', () => {
    const read = (lines: number): void => {
      parseHl7(`${HEAD}OBX|1|FT|R||${'a'.repeat(76)}\r${`${'a'.repeat(76)}\r`.repeat(lines)}`);
    };
    expect(growth(read, 4000)).to.be.lessThan(50);
  });

  it('a padded accession number takes time in proportion', () => {
    const read = (blanks: number): void => {
      accessionKey(`A${' '.repeat(blanks)}B`);
    };
    expect(growth(read, 20_000)).to.be.lessThan(50);
  });

  it('more parts of fields than memory is good for are refused', () => {
    const bomb = `${HEAD}PID|1||${'~'.repeat(600_000)}`;
    expect(() => parseHl7(bomb)).to.throw(Hl7Rejection, /more than 500000/);
  });
});
