import { expect } from 'chai';
import { parseSenders } from '../../../hl7/rules/field-settings.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';
import { readPatientUpdate } from '../../../ris/rules/read.ts';
import { SETTINGS } from '../../support/hl7-messages.ts';

const read = (msh7: string, received: string, senders = '') =>
  readPatientUpdate(
    parseHl7(`MSH|^~\\&|ENGINE|SITE|||${msh7}||ADT^A08|1|P|2.5\rPID|||P1\r`),
    { ...SETTINGS, senders: parseSenders(senders).senders },
    new Date(received),
  );
const codes = (...asked: Parameters<typeof read>): string[] => read(...asked).warnings.map(({ code }) => code);

describe('a sender whose clock is in another zone', () => {
  // 11:00 in Melbourne, written by an engine in UTC
  const [written, received] = ['20260715010000', '2026-07-15T01:00:02Z'];

  it('is warned of, and the warning names the setting that mends it', () => {
    expect(codes(written, received)).to.deep.equal(['sender-clock']);
    expect(read(written, received).warnings[0]?.detail).to.contain('10.0 h behind').and.to.contain('clock=');
  });

  it('is understood where a setting names its zone', () => {
    expect(codes(written, received, 'ENGINE: clock=Etc/UTC')).to.deep.equal([]);
    expect(read(written, received, 'ENGINE: clock=Etc/UTC').saidAt.toISOString()).to.equal('2026-07-15T01:00:00.000Z');
    expect(codes(written, received, 'OTHER: clock=Etc/UTC')).to.deep.equal(['sender-clock']);
    expect(read(`${written}+1000`, received, 'ENGINE: clock=Etc/UTC').saidAt.toISOString()).to.equal(
      '2026-07-14T15:00:00.000Z',
    );
  });

  it('is not one that writes the day alone', () => {
    expect(codes('20260715', received)).to.deep.equal([]);
    expect(codes('20260714', received)).to.deep.equal(['sender-clock']);
    expect(codes('20260716', received)).to.deep.equal(['sender-clock']);
  });
});
