import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import { expect } from 'chai';
import { z } from 'zod';
import { startAzurite, type AzuriteProcess } from '../../dev/azurite-process.ts';
import { ctSeries } from '../../dev/phantoms.ts';
import { storeByRest } from '../support/orthanc-rest.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';

const WAITING = 200;
const LINE = z.object({ level: z.number(), msg: z.string(), code: z.string().optional() });
const WARNING = 40;
const FAILURE = z.object({ subject: z.string(), code: z.string(), message: z.string() });

/** Stands before a blob service; while `refuses` is a status, answers with that itself. */
class Front implements AsyncDisposable {
  refuses: number | null = null;
  calls = 0;
  readonly #server: Server;

  constructor(port: number) {
    this.#server = createServer((incoming, outgoing) => {
      this.calls += 1;
      if (this.refuses !== null) {
        incoming.resume();
        outgoing.writeHead(this.refuses).end();
        return;
      }
      const { method, url, headers } = incoming;
      const onward = request({ port, host: '127.0.0.1', method, path: url, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on('error', () => outgoing.destroy());
      incoming.pipe(onward);
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

describe('a blob store that takes nothing', () => {
  const started = new AsyncDisposableStack();
  let rig: Rig;
  let azurite: AzuriteProcess;
  let front: Front;
  before(async () => {
    azurite = started.use(await startAzurite());
    const port = /BlobEndpoint=http:\/\/127\.0\.0\.1:(\d+)/.exec(azurite.connectionString)?.[1] ?? '';
    front = started.use(new Front(Number(port)));
    const frontPort = await front.listen();
    const AZURE_STORAGE_CONNECTION_STRING = azurite.connectionString.replace(`:${port}/`, `:${frontPort}/`);
    rig = started.use(await startRig({ AZURE_STORAGE_CONNECTION_STRING }));
  });
  after(() => started.disposeAsync());

  let studies = 0;
  const store = async (images: number): Promise<void> => {
    const uid = `2.25.720${(studies += 1)}`;
    const [file] = ctSeries({ StudyInstanceUID: uid, PatientID: 'B1' }, `${uid}.1000`, 1);
    const copies = Array.from({ length: images }, (_, index) => {
      const copy = Buffer.from(file!);
      // SOP Instance UID, in the meta information and in the data set.
      for (let at = copy.indexOf(`${uid}.1000.1`); at >= 0; at = copy.indexOf(`${uid}.1000.1`)) {
        copy.write(`${uid}.${2000 + index}.1`, at);
      }
      return copy;
    });
    await storeByRest(rig.orthanc, copies);
  };
  const count = async (status: string): Promise<number> =>
    (await rig.rows('SELECT id FROM images WHERE mirror_status = $1', z.unknown(), [status])).length;
  const failures = () => rig.rows(`SELECT subject, code, message FROM failures WHERE part = 'blob'`, FAILURE);
  const warnings = (from: number) =>
    rig.logged
      .slice(from)
      .map((line) => LINE.parse(JSON.parse(line)))
      .filter(({ level }) => level >= WARNING);

  it('is one failure and a few lines for many images, all of which are mirrored once it is back', async () => {
    await azurite.stop();
    const logged = rig.logged.length;
    await store(WAITING);
    await eventually('the failure', async () => (await failures()).length === 1);
    await rig.until('all images to be known', `SELECT count(*) = ${WAITING} FROM images`);
    const calls = front.calls;
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(front.calls - calls, 'calls to see whether it is back').to.be.within(1, 12);
    expect(await failures()).to.have.length(1);
    expect(await count('pending')).to.equal(WAITING);
    const tried = await rig.rows(
      `SELECT id FROM graphile_worker.jobs WHERE task_identifier = 'mirror-image' AND attempts > 1`,
      z.unknown(),
    );
    expect(tried, 'jobs that used up more than one try').to.have.length.lessThan(4);
    await azurite.start();
    await eventually('all to be mirrored', async () => (await count('mirrored')) === WAITING);
    expect(await failures()).to.deep.equal([]);
    const told = warnings(logged);
    expect(told.length, JSON.stringify(told)).to.be.lessThan(10);
  });

  it('because it refuses likewise, and says how it refuses now', async () => {
    const [was, logged] = [await count('mirrored'), rig.logged.length];
    front.refuses = 403;
    await store(20);
    for (const status of [403, 409]) {
      front.refuses = status;
      await eventually(`the failure with ${status}`, async () => (await failures())[0]?.code === `blob-${status}`);
      expect(await failures()).to.deep.equal([
        { subject: rig.config.AZURE_STORAGE_CONTAINER, code: `blob-${status}`, message: `blob store: ${status}` },
      ]);
    }
    front.refuses = null;
    await eventually('all to be mirrored', async () => (await count('mirrored')) === was + 20);
    expect(await failures()).to.deep.equal([]);
    expect(warnings(logged).length).to.be.lessThan(10);
  });

  it('is forgotten by the next process, which finds it working', async () => {
    const was = await count('mirrored');
    front.refuses = 507;
    await store(20);
    await eventually('the failure', async () => (await failures()).length === 1);
    await rig.stopSidecar();
    front.refuses = null;
    await rig.startSidecar();
    await eventually('all to be mirrored', async () => (await count('mirrored')) === was + 20);
    expect(await failures()).to.deep.equal([]);
    expect(await count('failed')).to.equal(0);
  });
});
