import { writeFile } from 'node:fs/promises';
import { migrate, openDatabase } from '../platform/postgres/database.ts';
import { startPostgres } from './postgres-process.ts';
import { SCHEMA_FILE, schemaOf } from './schema.ts';

// Writes sql/schema.sql anew, by way of a database that all migrations are applied to.

await using postgres = await startPostgres();
const url = await postgres.createDatabase();
await migrate(url);
const db = openDatabase(url, 1);
await writeFile(SCHEMA_FILE, await schemaOf(db));
await db.destroy();
