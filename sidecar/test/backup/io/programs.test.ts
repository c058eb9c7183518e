import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import { createBackupFolder, readRestored, storedFiles } from '../../../backup/io/folder.ts';
import { createPgDump } from '../../../backup/io/pg-dump.ts';
import { runProgram } from '../../../backup/io/program.ts';
import { createRestic } from '../../../backup/io/restic.ts';
import { asFailure } from '../../../platform/rules/failure.ts';
import { ctSeries } from '../../../dev/phantoms.ts';
import { startBackupWorld, type BackupWorld } from '../../support/backup-world.ts';

const never = new AbortController().signal;
const LIMIT_MS = 60_000;

describe('the programs of backups', () => {
  let world: BackupWorld;
  const [path, stack] = [process.env['PATH'], new AsyncDisposableStack()];
  before(async () => {
    world = stack.use(await startBackupWorld());
    process.env['PATH'] = world.path;
  });
  after(async () => {
    process.env['PATH'] = path;
    await stack.disposeAsync();
  });
  const rows = async (databaseUrl: string, sql: string): Promise<unknown[]> => {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  };

  it('end with their time limit and with a stop, and say so', async () => {
    const sleep = { name: 'sleep', args: ['30'], env: {} };
    const late = await runProgram({ ...sleep, limitMs: 50, signal: never }).catch(asFailure);
    expect(late).to.include({ kind: 'transient', code: 'sleep-time-limit' });
    const stopped = await runProgram({ ...sleep, limitMs: LIMIT_MS, signal: AbortSignal.timeout(50) }).catch(asFailure);
    expect(stopped).to.include({ kind: 'transient', code: 'sleep-stopped' });
    const missing = await runProgram({ name: 'no-such', args: [], env: {}, limitMs: 50, signal: never }).catch(
      asFailure,
    );
    expect(missing).to.include({ kind: 'permanent', code: 'no-such-missing' });
  });

  it('put a dump in place whole or not at all, and quote no value of it', async () => {
    const [from, to] = [await world.postgres.createDatabase(), await world.postgres.createDatabase()];
    await rows(from, `CREATE TABLE people (name text); INSERT INTO people VALUES ('Doe^Jane')`);
    await rows(to, `CREATE TABLE people (name text); INSERT INTO people VALUES ('Kept')`);
    const file = join(world.folder, 'one.dump');
    const tool = (databaseUrl: string) => createPgDump({ databaseUrl, limitMs: LIMIT_MS, signal: never });
    await tool(from).dump(file);
    await tool(from).check(file);
    const before = ['DROP SCHEMA public CASCADE', 'CREATE SCHEMA public'];
    const bad = await tool(to).restore(file, before, [`SELECT CAST(name AS int) FROM public.people`]).catch(asFailure);
    expect(bad).to.include({ kind: 'permanent', code: 'psql', message: 'psql ended with 1: ERROR:  22P02' });
    expect(await rows(to, 'SELECT name FROM people')).to.deep.equal([{ name: 'Kept' }]);
    truncateSync(file, statSync(file).size - 40);
    expect(await tool(to).restore(file, before, []).catch(asFailure)).to.have.property('kind', 'permanent');
    expect(await rows(to, 'SELECT name FROM people')).to.deep.equal([{ name: 'Kept' }]);
    await tool(from).dump(file);
    await tool(to).restore(file, before, [`INSERT INTO public.people VALUES ('After')`]);
    expect(await rows(to, 'SELECT name FROM people')).to.deep.equal([{ name: 'Doe^Jane' }, { name: 'After' }]);
    const away = await tool('postgres://axis:secret@127.0.0.1:1/axis').dump(file).catch(asFailure);
    expect(away).to.include({ kind: 'transient', code: 'pg_dump' });
  });

  it('give back what is whole of a damaged repository, and name what is not', async () => {
    const [work, storage] = [join(world.folder, 'restic'), join(world.folder, 'storage')];
    const restic = createRestic({
      repository: join(world.folder, 'damaged'),
      password: randomBytes(12).toString('hex'),
      credentials: {},
      workFolder: work,
      limitMs: LIMIT_MS,
      signal: never,
    });
    const folder = createBackupFolder(work);
    const put = (uuid: string, bytes: Buffer): void => {
      const where = join(storage, uuid.slice(0, 2), uuid.slice(2, 4));
      mkdirSync(where, { recursive: true });
      writeFileSync(join(where, uuid), bytes);
    };
    const save = async () => {
      await folder.make();
      writeFileSync(folder.dumpFile, 'a dump');
      await folder.seal({ takenAt: '2026-07-14T00:00:00.000Z', storage, labels: null });
      return restic.save(storage);
    };
    const [one, two] = ['54a7382a-ab23-4215-868b-8f2253dfbf88', '728fd5bb-d835-4c28-bb1c-67d8ae31de1f'];
    const [first, second] = ctSeries({ StudyInstanceUID: '2.25.1', PatientID: 'P' }, '2.25.1.1', 2);
    put(one, first!);
    writeFileSync(join(storage, 'index'), 'SQLite');
    expect(await restic.exists().catch(asFailure)).to.equal(false);
    await restic.init();
    await save();
    const packs = () => readdirSync(join(world.folder, 'damaged/data'), { recursive: true, encoding: 'utf8' });
    const before = new Set(packs());
    put(two, second!);
    put('99990000-0000-4000-8000-000000000000', Buffer.from('PK not an image'));
    const { snapshot, files } = await save();
    expect(files).to.equal(2 + 3);
    const added = packs()
      .filter((name) => name.length > 60 && !before.has(name))
      .map((name) => join(world.folder, 'damaged/data', name))
      .sort((a, b) => statSync(b).size - statSync(a).size);
    truncateSync(added[0]!, 1000);
    await rm(join(work, 'cache'), { recursive: true, force: true });
    expect(await restic.check(1, 1).catch(asFailure)).to.include({ code: 'backup-damaged' });
    const folders = await restic.folders(snapshot, storage);
    expect([...folders.keys()]).to.deep.equal(['/54/a7', '/72/8f', '/99/99']);
    const { folder: restored, damaged } = await restic.restoreFolders(snapshot, storage, [...folders.keys()]);
    expect(damaged).to.include(`/72/8f/${two}`);
    expect(damaged).not.to.include(`/54/a7/${one}`);
    const found = (await storedFiles(restored)).filter(({ path: at }) => !damaged.has(at));
    expect(found.filter(({ isDicom }) => isDicom).map(({ path: at }) => at)).to.deep.equal([`/54/a7/${one}`]);
    const only = await restic.restoreFolders(snapshot, storage, ['/54/a7']);
    expect((await storedFiles(only.folder)).map(({ path: at }) => at)).to.deep.equal([`/54/a7/${one}`]);
    writeFileSync(folder.dumpFile, 'another dump');
    expect(await readRestored(join(work, 'database')).catch(asFailure)).to.include({ code: 'restore-damaged' });
  });
});
