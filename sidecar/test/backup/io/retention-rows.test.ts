import { expect } from 'chai';
import { z } from 'zod';
import { readFrame } from '../../../hl7/io/frame.ts';
import { query } from '../../../platform/postgres/query.ts';
import { forgetAudit, retentionStatements } from '../../../backup/io/retention-rows.ts';
import { asFailure } from '../../../platform/rules/failure.ts';
import { orm } from '../../../dev/ris-messages.ts';
import { forgetOld } from '../../../backup/flows/forget-old.ts';
import type { RetentionDays } from '../../../backup/rules/retained.ts';
import { startDatabase, type TestDatabase } from '../../support/database.ts';
import { NOW } from '../../support/episode.ts';
import { orderOf, person } from '../../support/people.ts';

const COUNTED = z.object({ controlId: z.string(), bytes: z.number(), answer: z.string() });

describe('what is old enough', () => {
  let test: TestDatabase;
  before(async () => {
    test = await startDatabase();
  });
  after(async () => {
    await test[Symbol.asyncDispose]();
  });
  const forget = (over: Partial<RetentionDays>, stop = new AbortController().signal) =>
    forgetOld(
      { forget: retentionStatements(test.db), now: () => NOW, pause: () => Promise.resolve(), stop },
      { RETAIN_HL7_DAYS: 0, RETAIN_AUDIT_DAYS: 0, RETAIN_BLOBS_DAYS: 0, ...over },
    );
  const execute = (sql: string) => query(test.db, sql, {}, z.unknown());
  const messages = () =>
    query(
      test.db,
      `SELECT control_id AS "controlId", octet_length(raw) AS bytes, answer FROM hl7_messages ORDER BY id`,
      {},
      COUNTED,
    );
  const frame = (controlId: string, accession: string): Buffer => {
    const text = orm({ now: NOW, controlId }, person(controlId), orderOf(accession));
    return Buffer.from(`${text.trim().replace(/\r?\n/g, '\r')}\r`);
  };
  const receive = (raw: Buffer) => test.operations.receive({ ...readFrame(raw), raw, remoteAddress: '127.0.0.1' });

  it('of applied messages loses its text; the message is still known, and cannot be replayed', async () => {
    const raw = frame('OLD', 'RA1');
    for (const one of [raw, frame('NEW', 'RA2')]) expect(await receive(one)).to.contain('MSA|AA|');
    expect(await receive(Buffer.from(frame('BAD', 'RA3').toString().replace('ORM^O01', 'XXX^X01')))).to.contain(
      'MSA|AR|',
    );
    await execute(
      `UPDATE hl7_messages SET received_at = received_at - interval '40 days' WHERE control_id IN ('OLD', 'BAD')`,
    );
    const facts = await query(test.db, 'SELECT * FROM study_facts ORDER BY 1', {}, z.unknown());
    expect(await forget({ RETAIN_HL7_DAYS: 41 })).to.deep.equal({ messages: 0, auditRows: 0, blobs: 0 });
    expect(await forget({ RETAIN_HL7_DAYS: 39 })).to.deep.equal({ messages: 1, auditRows: 0, blobs: 0 });
    const left = await messages();
    expect(left.map(({ controlId, bytes }) => [controlId, bytes > 0])).to.deep.equal([
      ['OLD', false],
      ['NEW', true],
      ['BAD', true],
    ]);
    expect(await receive(raw)).to.contain('MSA|AA|OLD');
    expect(await messages()).to.have.length(3);
    expect(await query(test.db, 'SELECT * FROM study_facts ORDER BY 1', {}, z.unknown())).to.deep.equal(facts);
    const failure = await test.operations.replay('1', { who: 'Ann', why: 'to see' }).catch(asFailure);
    expect(failure).to.include({ kind: 'permanent', code: 'message-forgotten' });
    expect((await forget({ RETAIN_HL7_DAYS: 39 })).messages).to.equal(0);
  });

  it('goes batch by batch, and no further than a stop', async () => {
    await execute(`
      INSERT INTO hl7_messages (received_at, remote_address, sending_application, sending_facility, message_type, control_id,
                                content_hash, raw, answer, acknowledgment)
      SELECT '2020-01-01', '', 'S', '', 'ORM^O01', 'C' || n, 'h' || n, 'MSH', 'AA', '' FROM generate_series(1, 1200) AS n`);
    expect((await forget({ RETAIN_HL7_DAYS: 100 }, AbortSignal.abort())).messages).to.equal(0);
    expect((await forget({ RETAIN_HL7_DAYS: 100 })).messages).to.equal(1200);
  });

  it('of deleted images has its blobs removed, once, and not of those that were deleted lately', async () => {
    const id = (n: number): string => Array.from({ length: 5 }, () => String(n).padStart(8, '0')).join('-');
    const row = (n: number, days: number, removed: string) =>
      `('${id(n)}', '2.25.${n}', '2.25.2', '2.25.3', 'u', 't', CAST('${NOW.toISOString()}' AS timestamptz) - interval '${days} days', ${removed})`;
    await execute(`
      INSERT INTO deleted_images (orthanc_id, sop_instance_uid, series_instance_uid, study_instance_uid, image_url,
                                  thumbnail_url, deleted_at, blobs_removed_at)
      VALUES ${row(1, 40, 'NULL')}, ${row(2, 40, 'now()')}, ${row(3, 10, 'NULL')}`);
    expect((await forget({ RETAIN_BLOBS_DAYS: 30 })).blobs).to.equal(1);
    const jobs = await query(
      test.db,
      `SELECT key FROM graphile_worker.jobs WHERE task_identifier = 'remove-blobs'`,
      {},
      z.object({ key: z.string() }),
    );
    expect(jobs).to.deep.equal([{ key: `remove-blobs:${id(1)}` }]);
  });

  it('of the audit log goes by the database’s own function, where there is one', async () => {
    await execute('DROP FUNCTION IF EXISTS audit_forget_before(timestamptz) CASCADE');
    expect(await forgetAudit(test.db, NOW)).to.equal(null);
    await execute(`CREATE FUNCTION audit_forget_before(cutoff timestamptz) RETURNS bigint LANGUAGE sql AS $$
      SELECT CAST(extract(day FROM CAST('${NOW.toISOString()}' AS timestamptz) - cutoff) AS bigint) $$`);
    expect((await forget({ RETAIN_AUDIT_DAYS: 400 })).auditRows).to.equal(400);
  });
});
