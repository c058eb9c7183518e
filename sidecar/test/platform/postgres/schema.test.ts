import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import pg from 'pg';
import { SCHEMA_FILE, schemaOf } from '../../../dev/schema.ts';
import { openDatabase } from '../../../platform/postgres/database.ts';
import { startDatabase } from '../../support/database.ts';
import { postgres } from '../../support/services.ts';

/** The lines that only one of them has: of two long texts nobody would find these. */
const difference = (expected: string, found: string) => {
  const without = (text: string, other: string): string[] => {
    const known = new Set(other.split('\n'));
    return text.split('\n').filter((line) => !known.has(line));
  };
  return { missing: without(expected, found), tooMuch: without(found, expected) };
};
const SAME = { missing: [], tooMuch: [] };

describe('sql/schema.sql', () => {
  let written = '';
  before(async () => {
    written = await readFile(SCHEMA_FILE, 'utf8');
  });

  it('is what the migrations add up to', async () => {
    await using database = await startDatabase();
    const migrated = await schemaOf(database.db);
    expect(difference(migrated, written), 'npm run schema writes it anew').to.deep.equal(SAME);
    expect(written === migrated, 'the same lines in another order: npm run schema').to.equal(true);
  });

  it('leaves nothing out that is needed to make the same again', async () => {
    const url = await (await postgres()).createDatabase();
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(written).finally(() => client.end());
    const db = openDatabase(url, 1);
    try {
      const made = await schemaOf(db);
      expect(difference(written, made)).to.deep.equal(SAME);
      expect(made === written, 'the same lines in another order').to.equal(true);
    } finally {
      await db.destroy();
    }
  });

  it('refuses to leave out a kind of thing that it does not show', async () => {
    await using database = await startDatabase();
    await database.db.raw('CREATE VIEW seen AS SELECT 1 AS one');
    const refused = await schemaOf(database.db).catch(String);
    expect(refused).to.contain('cannot be shown so far: seen');
  });
});
