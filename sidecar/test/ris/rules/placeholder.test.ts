import { expect } from 'chai';
import { isPlaceholderBirthDate, isPlaceholderName } from '../../../ris/rules/placeholder.ts';

describe('a placeholder', () => {
  it('is what stands where nobody knows the name, or it is not given yet', () => {
    for (const name of [
      ...['UNKNOWN^MALE', 'unknown', 'DOE^UNK', 'UNIDENTIFIED^001', 'NO NAME', 'Newborn^Smith', 'BABYOF^SMITH'],
      ...['BABY OF SMITH^JOAN', 'SMITH^BABY OF JOAN', 'TWIN 2 OF^SMITH', 'B/O SMITH', 'SMITH^BOY OF', 'ANONYMOUS'],
    ]) {
      expect(isPlaceholderName(name), name).to.equal(true);
    }
  });

  it('is no name that people have', () => {
    for (const name of ['', 'DOE^JANE', 'BOYD^OFELIA', 'SONG^OLIVER', 'HOFF^BABETTE', 'BO^DEREK', 'UNKLES^TWINKLE']) {
      expect(isPlaceholderName(name), name).to.equal(false);
    }
  });

  it('is a birth date of 1900-01-01 and before', () => {
    expect(['1900-01-01', '1800-01-01'].map(isPlaceholderBirthDate)).to.deep.equal([true, true]);
    expect(['1900-01-02', '2026-01-01'].map(isPlaceholderBirthDate)).to.deep.equal([false, false]);
  });
});
