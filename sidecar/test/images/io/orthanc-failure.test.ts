import { createServer } from 'node:net';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { createOrthanc, type OrthancOptions } from '../../../images/io/orthanc.ts';
import { Failure } from '../../../platform/rules/failure.ts';
import { freePort } from '../../../dev/child.ts';
import { crImage } from '../../../dev/phantoms.ts';
import { startTcpProxy } from '../../../dev/tcp-proxy.ts';
import { storeByRest } from '../../support/orthanc-rest.ts';
import { orthanc } from '../../support/services.ts';

const MEGABYTE = 1024 * 1024;

async function failureOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Failure) return `${error.kind} ${error.code}`;
    throw error;
  }
  return 'worked';
}

describe('how Orthanc fails', () => {
  const started = new AsyncDisposableStack();
  let image: string;
  let away = (_bytes: Buffer, _cut: () => void): boolean => true;
  let answered = 0;
  let port: number;
  let cutAll = (): void => undefined;
  before(async () => {
    const server = await orthanc();
    const study = { StudyInstanceUID: '2.25.7301', PatientID: 'F1' };
    [image = ''] = await storeByRest(server, [crImage(study, '2.25.7301.1')]);
    const proxy = started.use(
      await startTcpProxy({
        port: Number(new URL(server.url).port),
        onAnswered: (bytes) => {
          answered += 1;
          return away(bytes, () => {
            proxy.cut();
          });
        },
      }),
    );
    port = proxy.port;
    cutAll = () => {
      proxy.cut();
    };
  });
  after(() => started.disposeAsync());
  beforeEach(() => {
    answered = 0;
    away = () => true;
  });
  const client = async (options: Partial<OrthancOptions> = {}) => {
    const { username, password } = await orthanc();
    const url = `http://127.0.0.1:${port}`;
    const made = createOrthanc({ url, username, password, timeoutMs: 2000, maxFileBytes: MEGABYTE, ...options });
    return started.adopt(made, (open) => {
      open.close();
    });
  };

  it('is unreachable where no connection comes about', async () => {
    const nobody = await client({ url: `http://127.0.0.1:${await freePort()}` });
    expect(await failureOf(nobody.rendered(image, 0))).to.equal('transient orthanc-unreachable');
    expect(await failureOf(nobody.system())).to.equal('transient orthanc-unreachable');
  });

  it('went away where a rendering or a file was asked for and the connection broke, which is not asked for twice', async () => {
    const reading = await client();
    away = (_bytes, cut) => {
      cut();
      return false;
    };
    expect(await failureOf(reading.rendered(image, 0))).to.equal('transient orthanc-went-away');
    expect(await failureOf(reading.file(image))).to.equal('transient orthanc-went-away');
    expect(answered).to.equal(2);
    expect(await failureOf(reading.system())).to.equal('transient orthanc-went-away');
    expect(answered, 'what else is read is asked for twice').to.equal(4);
  });

  it('went away, and sent nothing too large, where it broke off in the middle of its answer', async () => {
    const reading = await client();
    const broken = Promise.withResolvers<undefined>();
    let bytesLeft = 100_000;
    away = (bytes, cut) => {
      const wasWhole = bytesLeft >= 0;
      bytesLeft -= bytes.length;
      if (wasWhole && bytesLeft < 0) {
        setTimeout(() => {
          cut();
          broken.resolve(undefined);
        }, 50);
      }
      return bytesLeft >= 0;
    };
    expect(await failureOf(reading.file(image))).to.equal('transient orthanc-went-away');
    // A cut that came later would fall into the next test: Orthanc's own end of the answer may be there before it.
    await broken.promise;
  });

  it('stores on a connection of its own: one that has just been closed would break the file off', async () => {
    const storing = await client();
    await storing.system();
    cutAll();
    const file = crImage({ StudyInstanceUID: '2.25.7302', PatientID: 'F2' }, '2.25.7302.1');
    expect(await storing.store(Readable.from([file]), AbortSignal.timeout(5000))).to.include({ status: 'stored' });
  });

  it('refuses for good only what is larger than is taken', async () => {
    const narrow = await client({ maxFileBytes: 100_000 });
    expect(await failureOf(narrow.file(image))).to.equal('permanent too-large');
    expect(await failureOf((await client()).file(image))).to.equal('worked');
    expect(await failureOf((await client()).rendered(image, 7))).to.match(/^permanent orthanc-4/);
  });

  it('took too long, which says nothing against the image', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    const reading = await client({ url, timeoutMs: 30 });
    expect(await failureOf(reading.rendered(image, 0))).to.equal('transient orthanc-timeout');
    expect(await failureOf(reading.system())).to.equal('transient orthanc-timeout');
    silent.close();
  });
});
