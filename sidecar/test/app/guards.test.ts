import { expect } from 'chai';
import pino from 'pino';
import { loadConfig } from '../../app/config.ts';
import { keyStatements } from '../../access/io/key-rows.ts';
import { createGuards } from '../../app/guards.ts';
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
});
