import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { Knex } from 'knex';
import pg from 'pg';
import { z } from 'zod';
import { appendAudit, auditChain, readAudit, readAuditCursor, saveAuditCursor } from '../../../audit/io/rows.ts';
import { inTransaction } from '../../../app/transaction.ts';
import type { AuditEntry } from '../../../audit/rules/entry.ts';
import { verifyAudit, type AuditCheck } from '../../../audit/flows/verify.ts';
import { startDatabase, type TestDatabase } from '../../support/database.ts';

const AT = new Date('2026-04-01T02:00:00Z');
const entry = (changed: Partial<AuditEntry> = {}): AuditEntry => ({
  at: AT,
  event: 'operator-act',
  who: 'desk: Ann',
  source: '10.0.0.7',
  what: 'link',
  studyInstanceUid: '2.25.1',
  outcome: 'ok',
  detail: { items: 3, text: 'Zoë "quoted" \\ / \u2028' },
  ...changed,
});
const days = (count: number): Date => new Date(AT.getTime() + count * 86_400_000);
const COUNT = z.tuple([z.object({ count: z.coerce.number() })]);

describe('the audit log in Postgres', () => {
  let database: TestDatabase;
  let db: Knex;
  beforeEach(async () => {
    database = await startDatabase();
    ({ db } = database);
  });
  afterEach(async () => {
    await database[Symbol.asyncDispose]();
  });

  const sql = async (text: string): Promise<unknown> => db.raw(text);
  const refusal = async (text: string): Promise<string> => {
    try {
      await db.raw(text);
    } catch (error) {
      if (error instanceof Error) return error.message;
    }
    return 'was not refused';
  };
  const count = async (): Promise<number> =>
    COUNT.parse(z.object({ rows: z.unknown() }).parse(await sql('SELECT count(*) FROM audit_log')).rows)[0].count;
  const check = (noted: { id: number; hash: string } | null = null): Promise<AuditCheck> =>
    verifyAudit({ ...auditChain(db), origin: createHash('sha256').digest('hex') }, noted);
  /** As somebody would who may do everything: without the triggers. */
  const tamper = async (text: string): Promise<void> => {
    await db.transaction(async (trx) => {
      await trx.raw('ALTER TABLE audit_log DISABLE TRIGGER USER');
      await trx.raw(text);
      await trx.raw('ALTER TABLE audit_log ENABLE TRIGGER USER');
    });
  };

  it('keeps what happened, cleaned, in order and under ids without gaps', async () => {
    await appendAudit(db, [
      entry(),
      entry({ who: `a\0b\nc\ud800${'x'.repeat(900)}`, hl7MessageId: '9', accessionNumber: 'A1' }),
    ]);
    await appendAudit(db, []);
    const [first, second, ...more] = await readAudit(db, 0, 10);
    expect(more).to.deep.equal([]);
    expect({ ...first, hash: undefined }).to.deep.equal({
      ...entry(),
      id: 1,
      at: '2026-04-01T02:00:00.000000Z',
      accessionNumber: null,
      hl7MessageId: null,
      hash: undefined,
    });
    expect(second).to.include({ id: 2, hl7MessageId: '9', accessionNumber: 'A1' });
    expect(second!.who)
      .to.match(/^a b c\ufffdx+$/)
      .and.have.length(600);
    expect(await check()).to.deep.equal({ rows: 2, first: 1, last: 2, hash: second!.hash, problems: [] });
    expect((await readAudit(db, 0, 10, { since: days(1), until: null })).length).to.equal(0);
    expect((await readAudit(db, 0, 10, { since: AT, until: days(1) })).length).to.equal(2);
    expect((await readAudit(db, 1, 10)).map(({ id }) => id)).to.deep.equal([2]);
  });

  it('refuses changes and deletions, in replica mode too', async () => {
    await appendAudit(db, [entry(), entry()]);
    for (const text of [
      `UPDATE audit_log SET who = 'nobody'`,
      'DELETE FROM audit_log',
      'DELETE FROM audit_log WHERE id = 2',
      'TRUNCATE audit_log',
      `INSERT INTO audit_log (at, event, who, what, outcome) VALUES (now(), 'stopped', '', '', 'ok')
       ON CONFLICT (id) DO UPDATE SET who = 'nobody'`,
    ]) {
      expect(await refusal(text), text).to.match(/audit_log is append-only/);
      expect(await refusal(`SET LOCAL session_replication_role = replica; ${text}`), text).to.match(/is append-only/);
    }
    for (const text of ['DELETE FROM audit_head', 'TRUNCATE audit_head']) {
      expect(await refusal(text)).to.match(/audit_head is append-only/);
    }
    expect(await check())
      .to.include({ rows: 2 })
      .and.deep.include({ problems: [] });
  });

  it('deletes nothing that the log does not tell of in the same transaction', async () => {
    await appendAudit(db, [entry(), entry(), entry()]);
    const told = `INSERT INTO audit_log (at, event, who, what, outcome, detail)
      VALUES (now(), 'audit-forgotten', 'x', 'x', 'ok', '{"upTo": 2}')`;
    expect(await refusal(`BEGIN; ${told}; DELETE FROM audit_log WHERE id <= 3; COMMIT`)).to.match(/append-only/);
    await sql('ROLLBACK');
    await sql(told);
    expect(await refusal('DELETE FROM audit_log WHERE id <= 2')).to.match(/append-only/);
    expect(await count()).to.equal(4);
  });

  it('forgets what is old, says so, and can be checked from there on', async () => {
    await appendAudit(db, [entry(), entry({ at: days(1) }), entry({ at: days(3) }), entry({ at: days(2) })]);
    const forget = async (cutoff: Date): Promise<number> => {
      const { rows } = z
        .object({ rows: COUNT })
        .parse(await db.raw('SELECT audit_forget_before(?) AS count', [cutoff]));
      return rows[0].count;
    };
    const before = await readAudit(db, 0, 10);
    expect(await forget(AT)).to.equal(0);
    // The row of day 2 comes after a younger one and stays with it.
    expect(await forget(days(2.5))).to.equal(2);
    const rows = await readAudit(db, 0, 10);
    expect(rows.map(({ id, event }) => [id, event])).to.deep.equal([
      [3, 'operator-act'],
      [4, 'operator-act'],
      [5, 'audit-forgotten'],
    ]);
    expect(rows[2]!.detail).to.include({ rows: 2, upTo: 2, hash: before[1]!.hash, before: '2026-04-03T14:00:00Z' });
    expect(await check())
      .to.include({ rows: 3, first: 3 })
      .and.deep.include({ problems: [] });
    expect(await check({ id: 4, hash: before[3]!.hash })).to.deep.include({ problems: [] });
    await tamper('DELETE FROM audit_log WHERE id = 3');
    expect((await check()).problems).to.deep.equal(['row 3: is missing (the next is 4)']);
  });

  it('forgets all, but not what is still to be sent by syslog', async () => {
    await appendAudit(db, [entry(), entry(), entry()]);
    await saveAuditCursor(db, 1, AT);
    await sql(`SELECT audit_forget_before('2100-01-01')`);
    expect((await readAudit(db, 0, 10)).map(({ id }) => id)).to.deep.equal([2, 3, 4]);
    await saveAuditCursor(db, 4, AT);
    expect(await readAuditCursor(db)).to.equal(4);
    await sql(`SELECT audit_forget_before('2100-01-01'), audit_forget_before(NULL)`);
    expect((await readAudit(db, 0, 10)).map(({ id }) => id)).to.deep.equal([5]);
    expect(await check())
      .to.include({ rows: 1, first: 5 })
      .and.deep.include({ problems: [] });
  });

  it('shows what was changed, taken out, put in or cut off by one who may do everything', async () => {
    await appendAudit(
      db,
      Array.from({ length: 9 }, (_, n) => entry({ detail: { n } })),
    );
    const whole = await check();
    for (const [what, text, problem] of [
      ['a changed name', `UPDATE audit_log SET who = 'nobody' WHERE id = 4`, 'row 4: is not as it was written'],
      [
        'a changed time',
        `UPDATE audit_log SET at = at + interval '1 microsecond' WHERE id = 4`,
        'row 4: is not as it was written',
      ],
      ['a changed detail', `UPDATE audit_log SET detail = '{"n": 5}' WHERE id = 4`, 'row 4: is not as it was written'],
      ['a row that is gone', 'DELETE FROM audit_log WHERE id = 4', 'row 4: is missing (the next is 5)'],
      ['the first row gone', 'DELETE FROM audit_log WHERE id = 1', 'row 1: is missing (the next is 2)'],
      ['the end gone', 'DELETE FROM audit_log WHERE id > 7', 'row 9: the log should reach it and does not'],
      ['everything gone', 'DELETE FROM audit_log', 'row 9: the log should reach it and does not'],
      [
        'a row written anew with a hash that fits',
        `UPDATE audit_log SET hash = sha256('other') WHERE id = 4`,
        'row 4: is not as it was written',
      ],
    ] as const) {
      await db
        .transaction(async (trx) => {
          await trx.raw('ALTER TABLE audit_log DISABLE TRIGGER USER');
          await trx.raw(text);
          const found = await verifyAudit({ ...auditChain(trx), origin: createHash('sha256').digest('hex') });
          expect(found.problems, what).to.include(problem);
          throw new Error('undo');
        })
        .catch((error: unknown) => {
          if (!(error instanceof Error) || error.message !== 'undo') throw error;
        });
    }
    expect(await check()).to.deep.equal(whole);
  });

  it('shows a chain made anew from the beginning by what was noted elsewhere', async () => {
    await appendAudit(db, [entry(), entry(), entry()]);
    const { last, hash } = await check();
    await db.transaction(async (trx) => {
      for (const table of ['audit_log', 'audit_head']) await trx.raw(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
      await trx.raw(`DELETE FROM audit_log`);
      await trx.raw(`UPDATE audit_head SET id = 0, hash = sha256('')`);
      for (const table of ['audit_log', 'audit_head']) await trx.raw(`ALTER TABLE ${table} ENABLE TRIGGER USER`);
    });
    await appendAudit(db, [entry({ who: 'somebody else' }), entry(), entry()]);
    expect((await check()).problems).to.deep.equal([]);
    expect((await check({ id: last!, hash: hash! })).problems).to.deep.equal(['row 3: is not there as it was noted']);
  });

  it('stays one chain, visible in order, where many append at once and some go back', async () => {
    const seen: number[] = [];
    const written = new AbortController();
    const reading = (async () => {
      while (!written.signal.aborted) {
        for (const { id } of await readAudit(db, seen.at(-1) ?? 0, 1000)) seen.push(id);
      }
    })();
    const append = async (n: number): Promise<void> => {
      await inTransaction(db, async (tx) => {
        await tx.audit(entry({ detail: { n } }));
        if (n % 7 === 0) throw new Error('undo');
      }).catch((error: unknown) => {
        if (!(error instanceof Error) || error.message !== 'undo') throw error;
      });
    };
    await Promise.all(
      Array.from({ length: 6 }, async (_, writer) => {
        for (let n = 1; n <= 40; n += 1) await append(writer * 100 + n);
      }),
    );
    written.abort();
    await reading;
    for (const { id } of await readAudit(db, seen.at(-1) ?? 0, 1000)) seen.push(id);
    expect(seen).to.deep.equal(Array.from({ length: seen.length }, (_, index) => index + 1));
    expect(seen.length).to.equal(await count());
    expect(await check())
      .to.include({ rows: seen.length })
      .and.deep.include({ problems: [] });
  });

  it('gains a row with every text that is sent or failed, whoever marks it', async () => {
    await sql(`
      WITH p AS (INSERT INTO patients (source, external_id, name) VALUES ('ris', 'P1', 'NGUYEN^Anh') RETURNING id),
           s AS (INSERT INTO studies (patient_id, source, accession_number, accession_key) SELECT id, 'ris', 'A1', 'A1' FROM p
                 RETURNING id)
      INSERT INTO sms_messages (study_id, state, to_number, body, attempts, created_at, updated_at)
      SELECT id, 'queued', '+61412345678', 'Your results', 1, now(), '2026-04-01T02:00:00Z' FROM s`);
    await sql(`UPDATE sms_messages SET state = 'sending', sending_since = now()`);
    await sql(`UPDATE sms_messages SET state = 'failed', reason = 'twilio-21211'`);
    await sql(`UPDATE sms_messages SET state = 'failed', reason = 'twilio-21211'`);
    await sql(`UPDATE sms_messages SET state = 'sent', twilio_sid = 'SM1', reason = NULL`);
    const rows = await readAudit(db, 0, 10);
    expect(
      rows.map(({ event, outcome, accessionNumber, detail }) => [event, outcome, accessionNumber, detail]),
    ).to.deep.equal([
      ['text-failed', 'failed', 'A1', { textId: 1, code: 'twilio-21211', attempts: 1 }],
      ['text-sent', 'ok', 'A1', { textId: 1, twilioSid: 'SM1', attempts: 1 }],
    ]);
    expect(JSON.stringify(rows)).not.to.match(/nguyen|614|results/i);
  });

  it('gains a row with every text that is held for its number, once for each reason, and every STOP and START', async () => {
    await sql(`
      WITH p AS (INSERT INTO patients (source, external_id, name) VALUES ('ris', 'P1', 'NGUYEN^Anh') RETURNING id),
           s AS (INSERT INTO studies (patient_id, source, accession_number, accession_key) SELECT id, 'ris', 'A1', 'A1' FROM p
                 RETURNING id)
      INSERT INTO sms_messages (study_id, state, reason, body, created_at, updated_at)
      SELECT id, 'held', 'no-number', 'Your results', now(), '2026-04-01T02:00:00Z' FROM s`);
    const set = (change: string) => `UPDATE sms_messages SET ${change}`;
    await sql(set(`body = 'Other results'`));
    await sql(set(`reason = 'opted-out'`));
    await sql(set(`state = 'queued', reason = NULL, to_number = '+61412345678'`));
    await db.transaction(async (trx) => {
      await trx.raw(set(`state = 'held', reason = 'no-number', to_number = NULL`));
      await trx.raw(set(`state = 'queued', reason = NULL, to_number = '+61412345678'`));
    });
    await sql(set(`state = 'held', reason = 'study-in-review', to_number = NULL`));
    const choose = { number: '+61412345678' };
    await inTransaction(db, (tx) => tx.keepOptChoice({ ...choose, vendorId: 'SM1', optedOut: true }, AT));
    await inTransaction(db, (tx) => tx.keepOptChoice({ ...choose, vendorId: 'SM1', optedOut: true }, AT));
    await inTransaction(db, (tx) => tx.keepOptChoice({ ...choose, vendorId: 'SM2', optedOut: false }, AT));
    const rows = await readAudit(db, 0, 10);
    expect(
      rows.map(({ event, who, outcome, accessionNumber, detail }) => [event, who, outcome, accessionNumber, detail]),
    ).to.deep.equal([
      ['text-held', 'sidecar', 'refused', 'A1', { textId: 1, code: 'no-number' }],
      ['text-held', 'sidecar', 'refused', 'A1', { textId: 1, code: 'opted-out' }],
      ['opt-out', '', 'ok', null, { choiceId: 1, source: 'SM1' }],
      ['opt-in', '', 'ok', null, { choiceId: 3, source: 'SM2' }],
    ]);
    expect(JSON.stringify(rows)).not.to.match(/nguyen|614|results/i);
    expect((await check()).problems).to.deep.equal([]);
  });

  it('belongs, as docs/audit.md says how, to a role of its own that the sidecar’s cannot pass by', async () => {
    const [, statements = ''] =
      /```sql\n(.*?)```/s.exec(readFileSync(new URL('../../../../docs/audit.md', import.meta.url), 'utf8')) ?? [];
    expect(statements).to.contain('OWNER TO');
    const role = `sidecar_${Date.now()}`;
    const owner = `owner_${Date.now()}`;
    await sql(`CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}`);
    await sql(statements.replaceAll('axis_audit', owner).replace(/\baxis\b/g, role));
    const url = new URL(database.url);
    url.username = role;
    url.password = 'x';
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    try {
      await client.query(
        `INSERT INTO audit_log (at, event, who, what, outcome) VALUES ('2026-04-01', 'started', '', '', 'ok'), (now(), 'stopped', '', '', 'ok')`,
      );
      for (const text of [
        'ALTER TABLE audit_log DISABLE TRIGGER USER',
        'DROP TRIGGER audit_log_append_only ON audit_log',
        'DROP TABLE audit_log',
        'DELETE FROM audit_log',
        'TRUNCATE audit_log',
        `UPDATE audit_log SET who = 'x'`,
        'UPDATE audit_head SET id = 0',
        'SET session_replication_role = replica',
        'CREATE OR REPLACE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$',
      ]) {
        let refused = 'was not refused';
        await client.query(text).catch((error: unknown) => {
          refused = error instanceof Error ? error.message : '';
        });
        expect(refused, text).to.match(/permission denied|must be owner/);
      }
      // A table of the same name that only this session sees does not stand in.
      await client.query(
        'CREATE TEMP TABLE audit_head AS SELECT true AS only_row, 99::bigint AS id, sha256($1) AS hash',
        [Buffer.from('x')],
      );
      await client.query(
        `INSERT INTO audit_log (at, event, who, what, outcome) VALUES (now(), 'started', '', '', 'ok')`,
      );
      expect((await client.query(`SELECT audit_forget_before('2026-04-02') AS rows`)).rows).to.deep.equal([
        { rows: '1' },
      ]);
    } finally {
      await client.end();
    }
    expect((await readAudit(db, 0, 10)).map(({ id, event }) => [id, event])).to.deep.equal([
      [2, 'stopped'],
      [3, 'started'],
      [4, 'audit-forgotten'],
    ]);
    expect((await check()).problems).to.deep.equal([]);
  });
});
