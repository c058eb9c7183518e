import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { NOBODY, runFolder, startInside } from '../orthanc-root.ts';
import { connectRis } from '../ris.ts';
import { orm } from '../ris-messages.ts';
import { startSidecarProcess } from '../sidecar-process.ts';
import { startStack } from '../stack.ts';
import { benchStudy } from './data.ts';
import { alternate, type Figure } from './measure.ts';
import type { Extent } from './world.ts';

const CONNECTIONS = [1, 16];
const SECONDS = 5;
const PGBENCH = '/usr/lib/postgresql/17/bin/pgbench';

// As wide as an order message and what is kept of it, roughly.
const INSERT = String.raw`\set number random(1, 1000000000)
INSERT INTO bare (accession, body) VALUES ('A' || :number, repeat('x', 500));
`;

/** Sends new orders, each connection its next one when the last was answered; gives how many a second were AA. */
export async function sendOrders(
  port: number,
  options: { readonly connections: number; readonly seconds: number; readonly seed: number; readonly group: number },
): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const connections: Awaited<ReturnType<typeof connectRis>>[] = [];
  for (let count = 0; count < options.connections; count += 1) connections.push(stack.use(await connectRis(port)));
  let [sent, answered] = [0, 0];
  const begin = performance.now();
  const over = (): boolean => performance.now() - begin > options.seconds * 1000;
  await Promise.all(
    connections.map(async (connection) => {
      while (!over()) {
        const { patient, order } = benchStudy(options.seed, options.group, sent);
        const controlId = `${options.group}-${sent}`;
        sent += 1;
        const answer = await connection.send(orm({ now: new Date(), controlId }, patient, order));
        if (!answer.includes(`MSA|AA|${controlId}`)) throw new Error(`an order was not taken: ${answer}`);
        answered += 1;
      }
    }),
  );
  return (answered * 1000) / (performance.now() - begin);
}

/** pgbench with as many clients on the same server, a row an insert, each committed; gives how many a second. */
async function insertRows(databaseUrl: string, clients: number, seconds: number): Promise<number> {
  const folder = runFolder();
  try {
    const script = join(folder.outside, 'insert.sql');
    writeFileSync(script, INSERT);
    chownSync(script, NOBODY, NOBODY);
    const how = ['--no-vacuum', '--protocol=prepared', `--client=${clients}`, '--jobs=1', `--time=${seconds}`];
    const child = startInside(PGBENCH, [...how, `--file=${folder.inside}/insert.sql`, databaseUrl]);
    await child.ended;
    const rate = /^tps = ([\d.]+)/m.exec(child.lastOutput())?.[1];
    if (rate === undefined) throw new Error(`pgbench measured nothing: ${child.lastOutput()}`);
    return Number(rate);
  } finally {
    await folder.remove();
  }
}

/** What Node and its driver can do without HL7: clients that each insert one such row after the other; gives how many a second. */
async function insertFromNode(databaseUrl: string, clients: number, seconds: number): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const open = Array.from({ length: clients }, () => new pg.Client({ connectionString: databaseUrl }));
  for (const client of open) {
    stack.defer(() => client.end());
    await client.connect();
  }
  const insert = { name: 'insert', text: "INSERT INTO bare (accession, body) VALUES ($1, repeat('x', 500))" };
  const begin = performance.now();
  let inserted = 0;
  await Promise.all(
    open.map(async (client) => {
      while (performance.now() - begin < seconds * 1000) {
        await client.query({ ...insert, values: [`A${inserted}`] });
        inserted += 1;
      }
    }),
  );
  return (inserted * 1000) / (performance.now() - begin);
}

/** How fast orders are taken, each answered AA after its commit, through the sidecar as a process of its own. */
export async function benchHl7(extent: Extent): Promise<Figure[]> {
  await using stack = await startStack({ durable: true });
  const client = new pg.Client({ connectionString: stack.postgres.url });
  await client.connect();
  await client.query(
    'CREATE TABLE bare (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(), accession text, body text)',
  );
  const { rows } = await client.query<{ synchronous_commit: string }>('SHOW synchronous_commit');
  await client.end();
  if (rows[0]?.synchronous_commit !== 'on') throw new Error('the database does not wait for the disk');
  await using sidecar = await startSidecarProcess({ ...stack.environment, POLL_INTERVAL_MS: '1000' });
  const seconds = Math.max(1, SECONDS * extent.scale);
  const { seed } = extent;
  let group = 10;
  const figures: Figure[] = [];
  for (const connections of CONNECTIONS) {
    const ours = (): Promise<number> => {
      group += 1;
      return sendOrders(sidecar.hl7Port, { connections, seconds, seed, group });
    };
    await ours();
    const what = `orders, ${connections} connection${connections === 1 ? '' : 's'}`;
    const compare = async (name: string, bare: () => Promise<number>, goal: Figure['compared']['goal']) => {
      const measured = await alternate(extent.repeats, ours, bare);
      figures.push({ part: 'hl7', what: name, unit: 'messages/s', ...measured, compared: { kind: 'ratio', goal } });
    };
    const url = stack.postgres.url;
    await compare(what, () => insertRows(url, connections, Math.ceil(seconds)), { is: 'at least', value: 0.5 });
    await compare(`${what}, and inserts from Node`, () => insertFromNode(url, connections, seconds), null);
  }
  return figures;
}
