import { execFileSync } from 'node:child_process';
import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { z } from 'zod';
import { OWN_LABELS } from '../../linking/rules/labels.ts';
import { startTlsFront } from '../../platform/net/tls-front.ts';
import { cStore } from '../../dev/modality.ts';
import { startOrthanc, type OrthancProcess } from '../../dev/orthanc-process.ts';
import { NOBODY, runFolder, startInside } from '../../dev/orthanc-root.ts';
import { crImage } from '../../dev/phantoms.ts';
import { createAuthority, type Authority, type KeyPair } from '../support/certificates.ts';

const IMAGE = crImage({ StudyInstanceUID: '2.25.8001', PatientID: 'G1', PatientName: 'GUARD^One' }, '2.25.8001.1');
const GUARD = fileURLToPath(new URL('../../../orthanc/guard.sh', import.meta.url));

async function asks(orthanc: OrthancProcess, callingAeTitle: string): Promise<boolean> {
  const titles = ['-aet', callingAeTitle, '-aec', orthanc.aeTitle, '-to', '5'];
  const key = ['-S', '-k', 'QueryRetrieveLevel=STUDY', '-k', 'PatientID'];
  const child = startInside('findscu', ['-v', ...titles, ...key, '127.0.0.1', String(orthanc.dicomPort)]);
  await child.ended;
  return child.lastOutput().includes('Received Final Find Response (Success)');
}

async function stores(orthanc: OrthancProcess, callingAeTitle: string): Promise<boolean> {
  const to = { port: orthanc.dicomPort, calledAeTitle: orthanc.aeTitle, callingAeTitle };
  return (await cStore([IMAGE], to)).ok;
}

/** storescu with TLS, as a modality that trusts our authority; gives whether it stored, and what it said. */
async function storesByTls(ours: Authority, orthanc: OrthancProcess, own: KeyPair | null, port = orthanc.dicomPort) {
  const folder = runFolder();
  try {
    const put = (name: string, content: string | Buffer): string => {
      writeFileSync(join(folder.outside, name), content);
      chownSync(join(folder.outside, name), NOBODY, NOBODY);
      return `${folder.inside}/${name}`;
    };
    const shown = own && ['+tls', put('own.key', own.key), put('own.pem', own.certificate)];
    const tls = [...(shown ?? ['+tla']), '+cf', put('ca.pem', ours.certificate)];
    const titles = ['-aet', 'CT1', '-aec', orthanc.aeTitle, '-to', '5', '-ta', '5'];
    const to = ['127.0.0.1', String(port), put('1.dcm', IMAGE)];
    const child = startInside('storescu', ['-v', ...tls, ...titles, ...to]);
    await child.ended;
    return { stored: child.lastOutput().includes('Received Store Response (Success)'), said: child.lastOutput() };
  } finally {
    await folder.remove();
  }
}

describe('who may come to Orthanc by DICOM', () => {
  it('is everybody without a list, for storing only', async () => {
    await using orthanc = await startOrthanc();
    expect(await stores(orthanc, 'ANYBODY')).to.equal(true);
    expect(await asks(orthanc, 'ANYBODY')).to.equal(false);
  });

  it('is with a list whoever is on it, by AE title and address, for what it says', async () => {
    const list = [
      '# AE title, address, what it may do',
      'CT1 127.0.0.1 store   # room 1',
      'CT2 10.0.0.6 store',
      'WORKSTATION 127.0.0.1 find get',
    ].join('\n');
    await using orthanc = await startOrthanc({
      files: { list },
      guard: (folder) => ({ DICOM_ALLOW_LIST: join(folder, 'list') }),
    });
    const may = async (title: string) => ({ store: await stores(orthanc, title), find: await asks(orthanc, title) });
    expect(await may('CT1')).to.deep.equal({ store: true, find: false });
    expect(await may('WORKSTATION')).to.deep.equal({ store: false, find: true });
    // Listed at another address.
    expect(await may('CT2')).to.deep.equal({ store: false, find: false });
    expect(await may('STRANGER')).to.deep.equal({ store: false, find: false });
  });

  const refused: readonly (readonly [why: string, list: string, says: RegExp])[] = [
    ['without an address', 'CT1 store', /line 1: needs/],
    ['with a word that is no act', 'CT1 10.0.0.5 stor', /line 1: it may do/],
    ['with a name for an address', '# x\nCT1 ct1.local store', /line 2: the second word/],
    ['with a quote in a title', 'CT"1 10.0.0.5 store', /line 1: an AE title/],
    ['with an AE title twice', 'CT1 10.0.0.5 store\nCT1 10.0.0.6 store', /line 2: an AE title twice/],
    ['that is empty', '# nobody\n', /nobody is listed/],
  ];
  it('is the sidecar by an account that stands in the settings themselves where its password is given', () => {
    const env = { PATH: process.env['PATH'], ORTHANC_USERNAME: 'sidecar' };
    const users = (password: string): unknown => {
      const out = execFileSync('sh', [GUARD], {
        env: { ...env, ORTHANC_PASSWORD: password },
        encoding: 'utf8',
        stdio: 'pipe',
      });
      return z.object({ RegisteredUsers: z.unknown() }).parse(JSON.parse(out)).RegisteredUsers;
    };
    expect(users('letters-and-1')).to.deep.equal({ sidecar: 'letters-and-1' });
    expect(() => users('with"quote')).to.throw(/ORTHANC_PASSWORD: letters/);
  });

  for (const [why, list, says] of refused) {
    it(`is not taken from a list ${why}`, () => {
      const folder = runFolder();
      try {
        const file = join(folder.outside, 'list');
        writeFileSync(file, list);
        const env = { PATH: process.env['PATH'], DICOM_ALLOW_LIST: file, ORTHANC_USERNAME: 'sidecar' };
        expect(() => execFileSync('sh', [GUARD], { env, encoding: 'utf8', stdio: 'pipe' })).to.throw(says);
      } finally {
        void folder.remove();
      }
    });
  }
});

describe('DICOM by TLS', () => {
  let ours: Authority, others: Authority;
  before(() => {
    ours = createAuthority('practice');
    others = createAuthority('somebody else');
  });
  after(async () => {
    await ours[Symbol.asyncDispose]();
    await others[Symbol.asyncDispose]();
  });

  const tlsOrthanc = (clientCa: boolean): Promise<OrthancProcess> => {
    const server = ours.issue('orthanc');
    return startOrthanc({
      files: { 'server.pem': server.certificate, 'server.key': server.key, 'clients.pem': ours.certificate },
      guard: (folder) => ({
        DICOM_TLS: 'true',
        DICOM_TLS_CERTIFICATE: join(folder, 'server.pem'),
        DICOM_TLS_KEY: join(folder, 'server.key'),
        ...(clientCa && { DICOM_TLS_CLIENT_CA: join(folder, 'clients.pem') }),
      }),
    });
  };

  it('takes whoever trusts the server, and nothing unencrypted', async () => {
    await using orthanc = await tlsOrthanc(false);
    const { stored, said } = await storesByTls(ours, orthanc, null);
    expect(stored, said).to.equal(true);
    expect(await stores(orthanc, 'CT1')).to.equal(false);
  });

  it('takes, where client certificates are asked for, one of ours and neither another nor none', async () => {
    await using orthanc = await tlsOrthanc(true);
    const right = await storesByTls(ours, orthanc, ours.issue('ct1'));
    expect(right.stored, right.said).to.equal(true);
    expect((await storesByTls(ours, orthanc, others.issue('ct1'))).stored).to.equal(false);
    expect((await storesByTls(ours, orthanc, ours.issue('ct1', -1))).stored).to.equal(false);
    expect((await storesByTls(ours, orthanc, null)).stored).to.equal(false);
  });
});

describe('DICOM by TLS on a port beside the plain one', () => {
  it('takes who shows one of our certificates, while the plain port takes whom it took before', async () => {
    await using ours = createAuthority('practice');
    await using others = createAuthority('somebody else');
    await using orthanc = await startOrthanc();
    const folder = runFolder();
    const put = (name: string, content: string): string => {
      writeFileSync(join(folder.outside, name), content);
      return join(folder.outside, name);
    };
    const server = ours.issue('front');
    await using front = await startTlsFront({
      host: '127.0.0.1',
      port: 0,
      target: { host: '127.0.0.1', port: orthanc.dicomPort },
      files: {
        certificate: put('server.pem', server.certificate),
        key: put('server.key', server.key),
        clientCa: put('clients.pem', ours.certificate),
        lookMs: 1000,
      },
      maxConnections: 10,
      idleTimeoutMs: 60_000,
      onRefused: () => undefined,
      log: { info: () => undefined, warn: () => undefined },
    });
    const right = await storesByTls(ours, orthanc, ours.issue('ct1'), front.port);
    expect(right.stored, right.said).to.equal(true);
    expect((await storesByTls(ours, orthanc, others.issue('ct1'), front.port)).stored).to.equal(false);
    expect((await storesByTls(ours, orthanc, null, front.port)).stored).to.equal(false);
    expect(await stores(orthanc, 'CT1')).to.equal(true);
    await folder.remove();
  });
});

describe('who looks into Orthanc by HTTP', () => {
  let orthanc: OrthancProcess;
  let study = '';
  let instance = '';
  const VIEWER = 'Basic ' + Buffer.from('ann:radiographer-1').toString('base64');
  const call = async (method: string, path: string, authorization: string | null, body?: string): Promise<number> => {
    const answer = await fetch(`${orthanc.url}${path}`, {
      method,
      redirect: 'manual',
      headers: { ...(authorization !== null && { Authorization: authorization }) },
      ...(body !== undefined && { body }),
    });
    await answer.arrayBuffer();
    return answer.status;
  };
  before(async () => {
    orthanc = await startOrthanc({
      files: { viewers: '# radiographers\nann:radiographer-1\n' },
      guard: (folder) => ({ ORTHANC_VIEWERS_FILE: join(folder, 'viewers') }),
    });
    await stores(orthanc, 'CT1');
    const auth = Buffer.from(`${orthanc.username}:${orthanc.password}`).toString('base64');
    const ids = async (path: string): Promise<string[]> => {
      const answer = await fetch(`${orthanc.url}${path}`, { headers: { Authorization: `Basic ${auth}` } });
      return z.array(z.string()).parse(await answer.json());
    };
    [study = ''] = await ids('/studies');
    [instance = ''] = await ids('/instances');
  });
  after(async () => {
    await orthanc[Symbol.asyncDispose]();
  });

  it('is let in with a password only', async () => {
    for (const path of ['/', '/app/explorer.html', '/studies', '/system', `/instances/${instance}/file`]) {
      expect(await call('GET', path, null), path).to.equal(401);
      expect(await call('GET', path, 'Basic ' + Buffer.from('ann:wrong').toString('base64')), path).to.equal(401);
    }
  });

  it('looks, searches and downloads', async () => {
    const shown = [
      '/app/explorer.html', '/system', '/statistics', '/plugins', '/patients', '/studies', '/series', '/instances',
      `/studies/${study}`, `/studies/${study}/series`, `/studies/${study}/archive`, `/studies/${study}/labels`,
      `/instances/${instance}/file`, `/instances/${instance}/preview`, `/instances/${instance}/rendered`,
      `/instances/${instance}/simplified-tags`, '/changes', '/modalities', '/tools/labels',
    ]; // prettier-ignore
    for (const path of shown) expect(await call('GET', path, VIEWER), path).to.equal(200);
    for (const path of ['/tools/find', '/tools/count-resources']) {
      expect(await call('POST', path, VIEWER, '{"Level":"Study","Query":{}}'), path).to.equal(200);
    }
    expect(await call('POST', '/tools/lookup', VIEWER, 'G1')).to.equal(200);
  });

  it('sets and takes labels, but not the sidecar’s own', async () => {
    const label = (method: string, name: string): Promise<number> =>
      call(method, `/studies/${study}/labels/${name}`, VIEWER, method === 'PUT' ? '' : undefined);
    expect(await label('PUT', 'teaching')).to.equal(200);
    expect(await label('DELETE', 'teaching')).to.equal(200);
    for (const name of ['ris-linked', 'ris-anything', 'report-final']) {
      expect(await label('PUT', name), name).to.equal(403);
      expect(await label('DELETE', name), name).to.equal(403);
    }
    for (const own of OWN_LABELS) {
      const inAnyCase = [own, own.toUpperCase(), own.replace(/\b[a-z]/g, (letter) => letter.toUpperCase())];
      for (const name of inAnyCase) expect(await label('PUT', name), name).to.equal(403);
    }
    const auth = 'Basic ' + Buffer.from(`${orthanc.username}:${orthanc.password}`).toString('base64');
    const present = await fetch(`${orthanc.url}/studies/${study}/labels`, { headers: { Authorization: auth } });
    expect(await present.json()).to.deep.equal([]);
  });

  const forbidden: readonly (readonly [method: string, path: () => string, body?: string])[] = [
    ['DELETE', () => `/studies/${study}`],
    ['DELETE', () => `/instances/${instance}`],
    ['DELETE', () => '/patients/x'],
    ['POST', () => `/studies/${study}/modify`, '{"Replace":{"PatientID":"X"},"Force":true}'],
    ['POST', () => `/studies/${study}/anonymize`, '{}'],
    ['POST', () => `/studies/${study}/merge`, '{}'],
    ['POST', () => `/studies/${study}/split`, '{}'],
    ['POST', () => `/studies/${study}/reconstruct`, ''],
    ['POST', () => `/instances/${instance}/modify`, '{}'],
    ['POST', () => `/instances/${instance}/export`, '/tmp/x'],
    ['POST', () => '/instances', 'x'],
    ['PUT', () => `/studies/${study}/metadata/1024`, 'x'],
    ['DELETE', () => `/studies/${study}/metadata/1024`],
    ['PUT', () => `/studies/${study}/attachments/1024`, 'x'],
    ['DELETE', () => `/studies/${study}/attachments/1024`],
    ['PUT', () => `/patients/${study}/protected`, '1'],
    ['POST', () => '/tools/execute-script', 'print(1)'],
    ['POST', () => '/tools/reset', ''],
    ['POST', () => '/tools/shutdown', ''],
    ['POST', () => '/tools/bulk-delete', '{"Resources":[]}'],
    ['POST', () => '/tools/bulk-modify', '{}'],
    ['POST', () => '/tools/create-dicom', '{}'],
    ['PUT', () => '/tools/log-level', 'verbose'],
    ['GET', () => '/tools/metrics-prometheus'],
    ['GET', () => '/tools/log-level'],
    ['PUT', () => '/modalities/evil', '{"AET":"E","Host":"10.0.0.9","Port":104}'],
    ['DELETE', () => '/modalities/ct'],
    ['POST', () => '/modalities/ct/store', study],
    ['GET', () => '/modalities/ct/configuration'],
    ['PUT', () => '/peers/evil', '["http://10.0.0.9/"]'],
    ['DELETE', () => '/changes'],
    ['DELETE', () => '/exports'],
    ['POST', () => '/jobs/x/cancel', ''],
    ['GET', () => '/storage-commitment/x'],
    ['PUT', () => `/studies/${study}/labels/a/../../metadata/1024`, 'x'],
    ['PUT', () => `/studies/${study}/labels/a%2F..%2F..%2Fmetadata%2F1024`, 'x'],
    ['GET', () => '/studies/../tools/log-level'],
    ['GET', () => '/studies/%2e%2e/tools/log-level'],
    ['GET', () => '/app/..%2f..%2f..%2fetc/passwd'],
    ['GET', () => '//tools/log-level'],
  ];
  for (const [method, path, body] of forbidden) {
    it(`may not ${method} ${path().replace('//', '/')}`, async () => {
      expect(await call(method, path(), VIEWER, body)).to.be.oneOf([403, 404]);
      const auth = 'Basic ' + Buffer.from(`${orthanc.username}:${orthanc.password}`).toString('base64');
      expect(await call('GET', `/studies/${study}`, auth)).to.equal(200);
      expect(await call('GET', `/instances/${instance}`, auth)).to.equal(200);
    });
  }

  it('may not be the sidecar, and the sidecar may everything', async () => {
    const auth = 'Basic ' + Buffer.from(`${orthanc.username}:${orthanc.password}`).toString('base64');
    expect(await call('PUT', `/studies/${study}/labels/ris-linked`, auth, '')).to.equal(200);
    expect(await call('POST', `/studies/${study}/reconstruct`, auth, '')).to.equal(200);
    const guard = (viewers: string) => () =>
      startOrthanc({ files: { viewers }, guard: (folder) => ({ ORTHANC_VIEWERS_FILE: join(folder, 'viewers') }) });
    for (const viewers of ['sidecar:another-password', 'ann:short', 'ann', 'ann:with"quote-in-it']) {
      let started: OrthancProcess | undefined;
      try {
        started = await guard(viewers)();
      } catch (error) {
        expect(String(error)).to.contain('ORTHANC_VIEWERS_FILE line 1');
      }
      await started?.[Symbol.asyncDispose]();
      expect(started, viewers).to.equal(undefined);
    }
  });
});
