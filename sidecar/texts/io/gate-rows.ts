import type { Knex } from 'knex';
import { execute } from '../../platform/postgres/query.ts';

const SAVE = `
INSERT INTO failures AS f (part, subject, code, message, first_at, last_at)
VALUES ('texts', :subject, :code, :message, :now, :now)
ON CONFLICT (part, subject) DO UPDATE
  SET code = EXCLUDED.code, message = EXCLUDED.message, times = f.times + 1, last_at = EXCLUDED.last_at`;
const CLEAR = `DELETE FROM failures WHERE part = 'texts' AND subject = :subject`;

/** The one row of `failures` of each thing that keeps texts from going out. */
export function gateStatements(db: Knex) {
  return {
    save: (subject: string, { code, message }: { code: string; message: string }, now: Date) =>
      execute(db, SAVE, { subject, code, message, now }),
    clear: (subject: string) => execute(db, CLEAR, { subject }),
  };
}
