import { expect } from 'chai';
import * as judge from '../../../doctor/rules/findings.ts';
import { blobKey } from '../../../images/blobs.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';
import { isTestMessage, testOrder } from '../../../hl7/rules/test-message.ts';

const NOW = new Date('2026-04-01T00:00:00Z');
const inDays = (days: number): Date => new Date(NOW.getTime() + days * 86_400_000);

describe('what the doctor makes of it', () => {
  it('judges clocks by 2 and 30 seconds, whichever is ahead', () => {
    const levels = [0, 1.9, -2, 2.1, -29, 30, 30.1, -31].map((seconds) => judge.judgeClock('X', seconds).level);
    expect(levels).to.deep.equal(['ok', 'ok', 'ok', 'warn', 'warn', 'warn', 'fail', 'fail']);
    expect(judge.judgeClock('X', -5).seen).to.equal('X: 5.0 s behind');
    expect(judge.judgeClock('X', 5).seen).to.equal('X: 5.0 s ahead');
  });

  it('judges certificates by three weeks and three days', () => {
    const levels = [22, 20, 4, 2, -1].map((days) => judge.judgeCertificate('C', inDays(days), NOW).level);
    expect(levels).to.deep.equal(['ok', 'warn', 'warn', 'fail', 'fail']);
    expect(judge.judgeCertificate('C', inDays(-1), NOW).seen).to.equal('C: ended 2026-03-31');
  });

  it('judges disks by what part of them is free', () => {
    expect([50, 10, 9, 3, 0].map((free) => judge.judgeDisk('/x', free, 100).level)).to.deep.equal([
      'ok', 'warn', 'warn', 'fail', 'fail',
    ]); // prettier-ignore
  });

  it('judges how many texts wait for an order by their share, and a few not at all', () => {
    const level = (texts: number, waiting: number, needed = true) => judge.judgeOrders(texts, waiting, needed).level;
    expect([level(0, 0), level(4, 4), level(100, 20), level(100, 21), level(5, 5)]).to.deep.equal([
      'ok', 'ok', 'ok', 'warn', 'warn',
    ]); // prettier-ignore
    expect(level(100, 100, false)).to.equal('ok');
  });

  it('names the settings that are for development, and not their values', () => {
    const development = {
      ORTHANC_PASSWORD: 'development-only',
      DATABASE_URL: 'postgres://axis:development-only@postgres/axis',
      AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true',
      PORTAL_URL: 'https://portal.example.com',
    };
    const { level, seen } = judge.judgeSettings(development, blobKey(development));
    expect(level).to.equal('warn');
    expect(seen).to.match(/ORTHANC_PASSWORD, POSTGRES_PASSWORD, AZURE_STORAGE_CONNECTION_STRING, PORTAL_URL$/);
    expect(seen).not.to.contain('development-only');
    const real = {
      ORTHANC_PASSWORD: 'x1',
      DATABASE_URL: 'postgres://axis:x2@postgres/axis',
      AZURE_STORAGE_CONNECTION_STRING: 'AccountName=axis;AccountKey=k',
      PORTAL_URL: 'https://portal.axisimaging.com.au/results',
    };
    expect(judge.judgeSettings(real, blobKey(real)).level).to.equal('ok');
  });

  it('takes an acknowledgment for good only where it is AA to its own message', () => {
    const ack = (msa: string): string => `MSH|^~\\&|A|B|C|D|1||ACK|1|T|2.5.1\r${msa}\r`;
    expect(judge.judgeAck(ack('MSA|AA|DOC1'), 'DOC1').level).to.equal('ok');
    expect(judge.judgeAck(ack('MSA|AA|DOC2'), 'DOC1').level).to.equal('fail');
    expect(judge.judgeAck(ack('MSA|AE|DOC1|try again later'), 'DOC1').seen).to.equal('answered AE: try again later');
    expect(judge.judgeAck('HTTP/1.1 400', 'DOC1').seen).to.equal('the answer is no acknowledgment');
  });

  it('is as bad as the worst of several', () => {
    const { ok, warn, fail, together } = judge;
    expect(together([ok('a'), ok('b')])).to.deep.equal({ level: 'ok', seen: 'a; b' });
    expect(together([ok('a'), warn('b', 'c'), warn('d', 'c')])).to.deep.equal({
      level: 'warn',
      seen: 'a; b; d',
      todo: 'c',
    });
    expect(together([fail('a', 'x'), warn('b', 'y')])).to.deep.equal({ level: 'fail', seen: 'a; b', todo: 'x y' });
  });

  it('makes UIDs of 64 characters at most, and a message that is a test', () => {
    const uid = judge.uidOf('ffffffff-ffff-ffff-ffff-ffffffffffff');
    expect(uid).to.equal('2.25.340282366920938463463374607431768211455');
    expect(isTestMessage(parseHl7(testOrder('DOC1', '20260401')))).to.equal(true);
  });
});
