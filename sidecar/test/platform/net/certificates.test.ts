import { createServer } from 'node:net';
import { expect } from 'chai';
import { certificateEnd, shownCertificateEnd } from '../../../platform/net/certificates.ts';
import { startTlsFront } from '../../../platform/net/tls-front.ts';
import { loadConfig } from '../../../app/config.ts';
import { certificateSettings } from '../../../platform/settings.ts';
import { listen } from '../../../platform/net/listen.ts';
import { asFailure } from '../../../platform/rules/failure.ts';
import { createAuthority, type Authority } from '../../support/certificates.ts';
import { tlsFolder } from '../../support/tls-folder.ts';

const DAY_MS = 86_400_000;
const LOG = { info: () => undefined, warn: () => undefined };
const days = (end: Date): number => Math.round((end.getTime() - Date.now()) / DAY_MS);
const codeOf = (call: Promise<Date>): Promise<string> =>
  call.then(
    () => 'done',
    (error: unknown) => asFailure(error).code,
  );

describe('the end of certificates', () => {
  let ours: Authority;
  before(() => {
    ours = createAuthority('Practice CA');
  });
  after(async () => {
    await ours[Symbol.asyncDispose]();
  });

  it('is read for each setting that names one or is one, Orthanc’s too', async () => {
    using folder = tlsFolder(ours.issue('orthanc', 12));
    const config = loadConfig({
      ORTHANC_URL: 'http://orthanc:8042',
      ORTHANC_USERNAME: 'sidecar',
      ORTHANC_PASSWORD: 'secret',
      DATABASE_URL: 'postgres://axis:secret@postgres:5432/axis',
      AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true',
      PORTAL_URL: 'https://portal.example.com',
      DICOM_TLS_CERTIFICATE: folder.files.certificate,
      AUDIT_SYSLOG: 'tls://127.0.0.1:6514',
      AUDIT_SYSLOG_CERTIFICATE: ours.issue('audit', 5).certificate,
      AUDIT_SYSLOG_KEY: ours.issue('audit', 5).key,
    });
    const ends = certificateSettings(config).map(async ({ setting, file }) => [
      setting,
      days(await certificateEnd(file)),
    ]);
    expect(Object.fromEntries(await Promise.all(ends))).to.deep.equal({
      DICOM_TLS_CERTIFICATE: 12,
      AUDIT_SYSLOG_CERTIFICATE: 5,
    });
    expect(await codeOf(certificateEnd('/nowhere.pem'))).to.equal('certificate-unreadable');
    expect(await codeOf(certificateEnd('-----BEGIN CERTIFICATE-----'))).to.equal('certificate-unreadable');
  });

  it('is that of the one shown, which is not yet the one in the file; and it need not be valid', async () => {
    using folder = tlsFolder(ours.issue('orthanc', -1), ours.certificate);
    await using front = await startTlsFront({
      ...{ host: '127.0.0.1', port: 0, target: { host: '127.0.0.1', port: 1 } },
      // As Orthanc, which looks at its files only when it starts.
      files: { ...folder.files, lookMs: 3_600_000 },
      ...{ maxConnections: 4, idleTimeoutMs: 5000, log: LOG, onRefused: () => undefined },
    });
    folder.renew(ours.issue('orthanc', 90));
    const place = { host: '127.0.0.1', port: front.port };
    expect(days(await certificateEnd(folder.files.certificate))).to.equal(90);
    expect(days(await shownCertificateEnd(place, ours.issue('doctor'), 5000))).to.equal(-1);
  });

  it('is not known of a port that speaks no TLS, says nothing, or is closed, within the limit', async () => {
    const sockets = new Set<{ destroy(): void }>();
    const mute = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
    const port = await listen(mute, 0, '127.0.0.1');
    expect(await codeOf(shownCertificateEnd({ host: '127.0.0.1', port }, {}, 200))).to.equal('certificate-not-shown');
    mute.close();
    for (const socket of sockets) socket.destroy();
    expect(await codeOf(shownCertificateEnd({ host: '127.0.0.1', port }, {}, 200))).to.equal('certificate-not-shown');
  });
});
