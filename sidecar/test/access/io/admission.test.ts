import { createServer } from 'node:http';
import { once } from 'node:events';
import { expect } from 'chai';
import express from 'express';
import { createAdmission, type Admission, type AdmissionDeps } from '../../../access/io/admission.ts';
import { newApiKey } from '../../../access/io/api-keys.ts';
import { asFailure, Failure } from '../../../platform/rules/failure.ts';
import type { RegisteredKey } from '../../../access/rules/api-key.ts';

const { key, entry } = newApiKey('ct', Buffer.alloc(32, 1));
const REGISTERED: RegisteredKey = {
  id: '1', name: 'ct', kind: 'key', scope: 'upload', sha256: entry.slice(3), withdrawnAt: null,
}; // prettier-ignore

/** Asks an admission, through a real request, as often as the test likes. */
async function asking(deps: Pick<AdmissionDeps, 'load' | 'markUsed' | 'now'>) {
  const admit = createAdmission({ ...deps, settings: { upload: [], operator: [] } });
  const app = express();
  const answers: (Admission | { failed: string })[] = [];
  app.get('/', async (request, response) => {
    answers.push(await admit(request, 'upload').catch((error: unknown) => ({ failed: asFailure(error).code })));
    response.end();
  });
  const server = createServer(app);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  return {
    ask: async () => {
      await (await fetch(`http://127.0.0.1:${port}/`, { headers: { 'X-API-Key': key } })).text();
      return answers.at(-1);
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

describe('admission by registered keys', () => {
  const START = Date.UTC(2026, 3, 1);

  it('looks them up again after two seconds, goes on for ten minutes without the database, and then refuses', async () => {
    let at = START;
    let away = false;
    let loads = 0;
    await using asked = await asking({
      load: () => {
        loads += 1;
        return away ? Promise.reject(new Failure('transient', 'postgres-away', 'away')) : Promise.resolve([REGISTERED]);
      },
      markUsed: () => Promise.resolve(),
      now: () => new Date(at),
    });
    for (let count = 0; count < 5; count += 1) expect(await asked.ask()).to.deep.equal({ name: 'ct' });
    expect(loads).to.equal(1);
    away = true;
    at += 2000;
    expect(await asked.ask()).to.deep.equal({ name: 'ct' });
    expect(await asked.ask()).to.deep.equal({ name: 'ct' });
    expect(loads, 'the database that is away is not asked by every request').to.equal(2);
    at += 600_001;
    expect(await asked.ask()).to.deep.equal({ failed: 'postgres-away' });
    away = false;
    expect(await asked.ask()).to.deep.equal({ name: 'ct' });
  });

  it('says when one was used, once a minute, and again where that could not be kept', async () => {
    let at = START;
    const marks: number[] = [];
    await using asked = await asking({
      load: () => Promise.resolve([REGISTERED]),
      markUsed: (_id, now) => {
        marks.push(now.getTime() - START);
        return marks.length === 2
          ? Promise.reject(new Failure('transient', 'postgres-away', 'away'))
          : Promise.resolve();
      },
      now: () => new Date(at),
    });
    for (const seconds of [0, 30, 60, 61, 90]) {
      at = START + seconds * 1000;
      expect(await asked.ask()).to.deep.equal({ name: 'ct' });
    }
    expect(marks).to.deep.equal([0, 60_000, 61_000]);
  });
});
