import { expect } from 'chai';
import pino from 'pino';
import { loadConfig } from '../../app/config.ts';
import { keyStatements } from '../../access/io/key-rows.ts';
import { createGuards } from '../../app/guards.ts';
import { readHeader } from '../../hl7/io/frame.ts';
import { testOrder } from '../../hl7/rules/test-message.ts';
import { startDatabase } from '../support/database.ts';

const NEEDED = {
  ORTHANC_URL: 'http://127.0.0.1:1',
  ORTHANC_USERNAME: 'nobody',
  ORTHANC_PASSWORD: 'nobody',
  AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true',
  PORTAL_URL: 'https://portal.example',
};

describe('the guards of the ports', () => {
  it('say at the start what is open to anybody, and nothing where nothing is', async () => {
    await using database = await startDatabase();
    const { db, url } = database;
    const warnings = async (settings: Readonly<Record<string, string>>): Promise<string[]> => {
      const lines: string[] = [];
      const log = pino({ level: 'warn', base: null }, { write: (line: string) => void lines.push(line) });
      const config = loadConfig({ ...NEEDED, DATABASE_URL: url, ...settings });
      await createGuards({ config, db, now: () => new Date(), onRefusedAccess: () => undefined, log });
      return lines.map((line) => /"msg":"(\w+)/.exec(line)?.[1] ?? line);
    };
    const https = { HTTPS_CERTIFICATE: '/a', HTTPS_KEY: '/b' };
    const hl7Tls = { HL7_TLS_CERTIFICATE: '/a', HL7_TLS_KEY: '/b', HL7_TLS_CLIENT_CA: '/ca' };
    expect(await warnings({})).to.deep.equal(['uploads', 'ANYBODY', 'keys']);
    await keyStatements(db).add(
      { name: 'ct', kind: 'key', scope: 'upload', sha256: 'a'.repeat(64) },
      { who: 'test', from: 'test' },
      new Date(),
    );
    expect(await warnings({})).to.deep.equal(['ANYBODY', 'keys']);
    expect(await warnings({ ...https, ...hl7Tls }), 'the port without TLS').to.deep.equal(['ANYBODY']);
    expect(await warnings({ TRUSTED_PROXIES: '10.0.0.1', ...hl7Tls, HL7_PLAIN: 'false' })).to.deep.equal([]);
    for (const list of [{ HL7_ALLOWED_ADDRESSES: '10.0.0.1' }, { HL7_ALLOWED_SENDERS: 'RIS' }]) {
      expect(await warnings({ ...https, ...list })).to.deep.equal([]);
    }
  });

  it('let in ten of the doctor’s test orders an hour that no listed sender sent, and nothing else of a stranger', async () => {
    await using database = await startDatabase();
    const config = loadConfig({ ...NEEDED, DATABASE_URL: database.url, HL7_ALLOWED_SENDERS: 'RIS' });
    let now = new Date('2026-04-01T00:00:00Z');
    const codes: string[] = [];
    const onRefusedAccess = ({ code }: { code: string }) => void codes.push(code);
    const log = pino({ level: 'silent' });
    const { admitHl7 } = await createGuards({ config, db: database.db, now: () => now, onRefusedAccess, log });
    const admit = (text: string) => {
      const raw = Buffer.from(text);
      return admitHl7({ header: readHeader(raw), raw, remoteAddress: '10.0.0.9' })?.split('\r')[1] ?? 'let in';
    };
    const test = (number: number) => testOrder(`DOC${String(number).padStart(16, '0')}`, '20260401000000+0000');
    const stranger = `${test(1)}ZZZ|${'~'.repeat(1_000_000)}`;
    expect(admit(stranger)).to.equal('MSA|AR|DOC0000000000000001|this sender (MSH-3, MSH-4) is not known here');
    expect(admit('no HL7')).to.match(/^MSA\|AR\|\|this sender/);
    expect(Array.from({ length: 10 }, (_, at) => admit(test(at)))).to.deep.equal(Array(10).fill('let in'));
    expect(admit(test(11))).to.match(/^MSA\|AR\|DOC0000000000000011\|too many test orders/);
    expect(admit('MSH|^~\\&|RIS|CLINIC|||||ADT^A08|1|P|2.5\r')).to.equal('let in');
    now = new Date('2026-04-01T01:00:01Z');
    expect(admit(test(12))).to.equal('let in');
    expect(codes).to.deep.equal(['sender', 'sender', 'too-many-tests']);
  });
});
