import { expect } from 'chai';
import pg from 'pg';
import { z } from 'zod';
import { MIGRATION_LOCK } from '../../platform/postgres/database.ts';
import { crImage } from '../../dev/phantoms.ts';
import { connectRis } from '../../dev/ris.ts';
import { orm } from '../../dev/ris-messages.ts';
import { exitCode, listening, run, type Run } from '../support/process.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';

const READY = z.object({ ok: z.boolean(), parts: z.array(z.object({ name: z.string(), ok: z.boolean() })) });

describe('the process', () => {
  let rig: Rig;
  const runs: Run[] = [];
  const start = (environment: Readonly<Record<string, string>>): Run => {
    const started = run(environment);
    runs.push(started);
    return started;
  };
  before(async () => {
    rig = await startRig();
  });
  after(async () => {
    for (const { child } of runs) child.kill('SIGKILL');
    await rig[Symbol.asyncDispose]();
  });

  it('reports every bad setting at once, without its value, and ends with 1', async () => {
    const broken = start({
      ...rig.environment,
      HL7_PORT: 'hl7',
      PORTAL_URL: '',
      SMS_HOURS: 'daytime',
      ORTHANC_URL: 'secret',
    });
    expect(await exitCode(broken)).to.equal(1);
    const output = broken.output();
    for (const name of ['HL7_PORT', 'PORTAL_URL', 'SMS_HOURS', 'ORTHANC_URL']) expect(output).to.contain(`${name}: `);
    expect(output).not.to.contain('secret').and.not.to.contain('    at ');
  });

  it('is ready once all parts are, works, and ends with 0 within ten seconds of SIGTERM', async () => {
    const started = start(rig.environment);
    const { hl7Port, httpPort } = await listening(started);
    expect((await fetch(`http://127.0.0.1:${httpPort}/healthz`)).status).to.equal(200);
    const ready = await fetch(`http://127.0.0.1:${httpPort}/readyz`);
    const body: unknown = await ready.json();
    expect(ready.status, JSON.stringify(body)).to.equal(200);
    const { parts } = READY.parse(body);
    expect(parts.map(({ name }) => name)).to.have.members(['orthanc', 'postgres', 'audit', 'blob', 'hl7', 'feed']);

    await using ris = await connectRis(hl7Port);
    const patient = { id: 'P1', name: 'PRO^Cess' };
    const order = { accessionNumber: 'PR1', modality: 'CR', procedure: 'XR', scheduled: '202607140900' };
    expect(await ris.send(orm(rig.head(), patient, order))).to.contain('MSA|AA');
    const stopped = Date.now();
    started.child.kill('SIGTERM');
    expect(await exitCode(started)).to.equal(0);
    expect(Date.now() - stopped).to.be.lessThan(10_000);
    expect(started.lines().at(-1)?.msg).to.equal('stopped');
  });

  it('says what is not ready, part by part, and recovers without a restart', async () => {
    const started = start(rig.environment);
    const { httpPort } = await listening(started);
    await rig.orthanc.stop('SIGKILL');
    const answer = await fetch(`http://127.0.0.1:${httpPort}/readyz`);
    expect(answer.status).to.equal(503);
    const { parts } = READY.parse(await answer.json());
    expect(parts.filter(({ ok }) => !ok).map(({ name }) => name)).to.deep.equal(['orthanc']);
    await rig.orthanc.start();
    await rig.store(crImage({ StudyInstanceUID: '2.25.91', PatientID: 'P1' }, '2.25.91.1'));
    await rig.settled();
    await eventually('readiness', async () => (await fetch(`http://127.0.0.1:${httpPort}/readyz`)).status === 200);
    started.child.kill('SIGTERM');
    expect(await exitCode(started)).to.equal(0);
  });

  it('goes on where the connection that keeps others from migrating is cut', async () => {
    const another = new pg.Client({ connectionString: rig.config.DATABASE_URL });
    await another.connect();
    await another.query('BEGIN; LOCK TABLE knex_migrations IN ACCESS EXCLUSIVE MODE');
    const started = start(rig.environment);
    const holder = `pid FROM pg_locks WHERE locktype = 'advisory' AND granted
                    AND (CAST(classid AS bigint) << 32) | CAST(objid AS bigint) = ${MIGRATION_LOCK}`;
    await rig.until('it to hold the lock', `SELECT EXISTS (SELECT ${holder})`);
    // It reads which migrations there are, with another connection, and this one idles.
    await rig.until(
      'it to migrate',
      `SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'relation')`,
    );
    await rig.execute(`SELECT pg_terminate_backend(pid) FROM (SELECT ${holder}) AS holding`);
    await rig.until('it to be cut', `SELECT NOT EXISTS (SELECT ${holder})`);
    await another.end();
    await listening(started);
    started.child.kill('SIGTERM');
    expect(await exitCode(started)).to.equal(0);
  });

  it('migrates a new database from several processes at once', async () => {
    const name = `axis_together_${process.pid}`;
    await rig.execute(`CREATE DATABASE ${name}`);
    const database = new URL(rig.config.DATABASE_URL);
    database.pathname = `/${name}`;
    const started = [1, 2, 3].map(() => start({ ...rig.environment, DATABASE_URL: database.href }));
    await Promise.all(started.map(listening));
    for (const { child } of started) child.kill('SIGTERM');
    expect(await Promise.all(started.map(exitCode))).to.deep.equal([0, 0, 0]);
  });
});
