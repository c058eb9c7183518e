import { expect } from 'chai';
import { z } from 'zod';
import { migrate } from '../../../platform/postgres/database.ts';
import { query } from '../../../platform/postgres/query.ts';
import { asFailure } from '../../../platform/rules/failure.ts';
import { startDatabase } from '../../support/database.ts';

describe('a database of a newer version', () => {
  it('is left alone, and the program that is older says so', async () => {
    await using database = await startDatabase();
    const tables = `SELECT count(*)::int AS tables FROM pg_tables WHERE schemaname = 'public'`;
    const count = () => query(database.db, tables, {}, z.object({ tables: z.number() }));
    const before = await count();
    const later = `INSERT INTO knex_migrations (name, batch, migration_time) VALUES ('9999-later.sql', 99, now()) RETURNING name`;
    await query(database.db, later, {}, z.unknown());
    const failure = await migrate(database.url).then(() => null, asFailure);
    expect(failure).to.include({ kind: 'permanent', code: 'database-newer' });
    expect(failure?.message).to.contain('9999-later.sql');
    expect(await count()).to.deep.equal(before);
  });
});
