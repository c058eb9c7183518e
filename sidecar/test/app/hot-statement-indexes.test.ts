import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { SCHEMA_FILE } from '../../dev/schema.ts';
import { HOT } from '../support/hot-statements.ts';

const SIDECAR = join(import.meta.dirname, '../..');
const STATEMENT = /((?:^\/\/.*\n)*)^export const (\w+) =/gm;
const SERVED = /Served by index(?:es)? ([\w, ]+)\./;

/** The indexes that the comment on each exported statement names, by the statement's text. */
async function servedBy(): Promise<ReadonlyMap<string, readonly string[]>> {
  const served = new Map<string, readonly string[]>();
  const files = readdirSync(SIDECAR, { recursive: true, encoding: 'utf8' });
  for (const file of files.filter((name) => /^[a-z]+\/io\/[\w-]*rows\.ts$/.test(name))) {
    const exported: unknown = await import(join(SIDECAR, file));
    const values = new Map(Object.entries(typeof exported === 'object' && exported !== null ? exported : {}));
    for (const [, comment = '', name = ''] of readFileSync(join(SIDECAR, file), 'utf8').matchAll(STATEMENT)) {
      const [, names] = SERVED.exec(comment.replace(/\n?\/\/ /g, ' ')) ?? [];
      const sql: unknown = values.get(name);
      if (names !== undefined && typeof sql === 'string') served.set(sql, names.split(', '));
    }
  }
  return served;
}

describe('a statement that runs all day', () => {
  it('says beside it by which indexes it is served, as the plans have them', async () => {
    const served = await servedBy();
    const wrong = Object.entries(HOT).flatMap(([what, [sql, ...indexes]]) => {
      const named = served.get(sql) ?? [];
      const isFitting = (name: string, index: string | RegExp): boolean =>
        index instanceof RegExp ? index.test(name) : index === name;
      const missing = indexes.filter((index) => !named.some((name) => isFitting(name, index)));
      const tooMuch = named.filter((name) => !indexes.some((index) => isFitting(name, index)));
      return [...missing, ...tooMuch].map((index) => `${what}: ${String(index)}`);
    });
    expect(wrong).to.deep.equal([]);
  });

  it('names only indexes that there are', async () => {
    const schema = readFileSync(SCHEMA_FILE, 'utf8');
    const indexes = [
      ...schema.matchAll(/^CREATE (?:UNIQUE )?INDEX (\w+) /gm),
      ...schema.matchAll(/^ {2}CONSTRAINT (\w+) (?:PRIMARY KEY|UNIQUE) /gm),
    ].map(([, name]) => name);
    expect([...(await servedBy()).values()].flat().filter((name) => !indexes.includes(name))).to.deep.equal([]);
  });
});
