import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { z } from 'zod';
import { cEcho, cStore, type DicomPeer } from '../../../doctor/io/dicom-client.ts';
import { phantomElements, uidOf } from '../../../doctor/rules/findings.ts';
import { asFailure } from '../../../platform/rules/failure.ts';
import { freePort } from '../../../dev/child.ts';
import { startOrthanc, type OrthancProcess } from '../../../dev/orthanc-process.ts';
import { createAuthority } from '../../support/certificates.ts';
import { orthancRest } from '../../support/orthanc-rest.ts';

const UIDS = { study: uidOf('00000000-0000-4000-8000-000000000001'), series: '2.25.2', instance: '2.25.3' };

const peerOf = (orthanc: OrthancProcess, changed: Partial<DicomPeer> = {}): DicomPeer => ({
  host: '127.0.0.1',
  port: orthanc.dicomPort,
  calledAeTitle: orthanc.aeTitle,
  callingAeTitle: 'AXIS-DOCTOR',
  timeoutMs: 5000,
  ...changed,
});

async function outcome(call: Promise<void>): Promise<string> {
  try {
    await call;
    return 'done';
  } catch (error) {
    const { code, message } = asFailure(error);
    return `${code}: ${message}`;
  }
}

describe('the DICOM client', () => {
  it('verifies and stores, and what was stored is whole', async () => {
    await using orthanc = await startOrthanc();
    expect(await outcome(cEcho(peerOf(orthanc)))).to.equal('done');
    expect(await outcome(cStore(peerOf(orthanc), phantomElements(UIDS)))).to.equal('done');
    const [id] = z.array(z.string()).parse(await orthancRest(orthanc, 'GET', '/instances'));
    const tags = await orthancRest(orthanc, 'GET', `/instances/${id ?? ''}/simplified-tags`);
    expect(tags).to.deep.include({
      PatientID: 'AXIS-DOCTOR',
      StudyInstanceUID: UIDS.study,
      SOPInstanceUID: '2.25.3',
      AccessionNumber: '',
      StudyDate: '',
      Rows: '64',
    });
    expect(await outcome(cEcho(peerOf(orthanc, { calledAeTitle: 'OTHER' })))).to.match(
      /^dicom-rejected: .*called AE title not recognized$/,
    );
  });

  it('says what a list of who may come refuses', async () => {
    await using orthanc = await startOrthanc({
      files: { list: 'AXIS-DOCTOR 127.0.0.1 store\nVIEWER 127.0.0.1 find' },
      guard: (folder) => ({ DICOM_ALLOW_LIST: join(folder, 'list') }),
    });
    expect(await outcome(cStore(peerOf(orthanc), phantomElements(UIDS)))).to.equal('done');
    expect(await outcome(cEcho(peerOf(orthanc, { callingAeTitle: 'STRANGER' })))).to.match(/^dicom-rejected: /);
    const viewer = cStore(peerOf(orthanc, { callingAeTitle: 'VIEWER' }), phantomElements(UIDS));
    expect(await outcome(viewer)).to.match(/^dicom-(rejected|status|unreachable|timeout): /);
  });

  it('speaks TLS to a port that takes nothing else, trusting the authority that it is given and no other', async () => {
    await using ours = createAuthority('practice');
    await using others = createAuthority('somebody else');
    const server = ours.issue('orthanc');
    await using orthanc = await startOrthanc({
      files: { 'server.pem': server.certificate, 'server.key': server.key, 'clients.pem': ours.certificate },
      guard: (folder) => ({
        DICOM_TLS: 'true',
        DICOM_TLS_CERTIFICATE: join(folder, 'server.pem'),
        DICOM_TLS_KEY: join(folder, 'server.key'),
        DICOM_TLS_CLIENT_CA: join(folder, 'clients.pem'),
      }),
    });
    const own = ours.issue('doctor');
    const by = (tls: DicomPeer['tls']) => outcome(cEcho(peerOf(orthanc, { tls })));
    expect(await by({ ca: ours.certificate, ...own })).to.equal('done');
    expect(await by({ ca: others.certificate, ...own })).to.match(/^dicom-unreachable: /);
    expect(await by({ ca: ours.certificate, ...others.issue('doctor') })).to.match(/^dicom-/);
    expect(await by(undefined)).to.match(/^dicom-(unreachable|timeout): /);
  });

  it('ends in time where nobody answers', async () => {
    const mute = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const { port } = z.object({ port: z.number() }).parse(mute.address());
    const peer = { host: '127.0.0.1', calledAeTitle: 'A', callingAeTitle: 'B', timeoutMs: 300 };
    expect(await outcome(cEcho({ ...peer, port }))).to.match(/^dicom-(timeout|unreachable): /);
    mute.close();
    expect(await outcome(cEcho({ ...peer, port: await freePort() }))).to.match(/^dicom-unreachable: .*ECONNREFUSED/);
  });
});
