import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { z } from 'zod';
import { readFrame } from '../../hl7/io/frame.ts';
import { query } from '../../platform/postgres/query.ts';
import { benchStudy } from '../../dev/bench/data.ts';
import { dicomBatch } from '../../dev/dicom-batch.ts';
import { asFailure } from '../../platform/rules/failure.ts';
import { NOW } from '../support/episode.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { caseFiles, needsRealData } from '../support/real-data.ts';

const CLI = fileURLToPath(new URL('../../cli.ts', import.meta.url));
const VIEWER = { who: 'test', from: '127.0.0.1' };
const BY = { who: 'Ann', why: 'replayed under another number' };
const order = (accession: string, control = 'NW', said = '20260401100000') =>
  Buffer.from(
    [
      `MSH|^~\\&|Voyager||PACS||${said}||ORM^O01|${said}-${accession}-${control}|P|2.3`,
      'PID|1|||107601|SAMPLE^MEI LING^^^Ms||19300104|F||||||0491 570 006',
      `ORC|${control}|${accession}|${accession}`,
      `OBR|1|${accession}|${accession}|56030^CT HEAD||20260401101500|||||||||||||||CT`,
    ].join('\r'),
  );
const report = (accession: string) =>
  Buffer.from(
    [
      `MSH|^~\\&|VoyagerPACS||RIS||20260714120000||ORU^R01|R-${accession}|P|2.3`,
      'PID|1|||107601|SAMPLE^MEI LING^^^Ms||19300104|F',
      `OBR|1|${accession}|${accession}|56030^CT HEAD|||||||||||||||||CT|||F`,
      'OBX|1|TX|||No fracture.||||||F',
    ].join('\r'),
  );

describe('what is understood of a message', () => {
  let database: TestDatabase;
  before(async () => {
    database = await startDatabase();
  });
  after(() => database[Symbol.asyncDispose]());
  const receive = (raw: Buffer) => database.operations.receive({ raw, ...readFrame(raw), remoteAddress: '127.0.0.1' });
  const count = async (table: string) =>
    (await query(database.db, `SELECT count(*)::int AS n FROM ${table}`, {}, z.object({ n: z.number() })))[0]?.n;
  const studyStatus = async (uid: string) => (await database.operations.show(uid, VIEWER))?.status;

  it('is kept with it, and found by its MSH-10: which field gave what, and what was odd', async () => {
    expect(await receive(order('193901-CT'))).to.contain('MSA|AA|');
    const shown = await database.operations.showMessage('20260401100000-193901-CT-NW', VIEWER);
    const told = Object.fromEntries(
      [...(shown?.reading?.patient ?? []), ...(shown?.reading?.studies[0] ?? [])].map(({ what, value, from }) => [
        what,
        [value, from],
      ]),
    );
    expect(told).to.deep.include({
      'patient number': ['107601', 'PID-4'],
      'birth date': ['1930-01-04', 'PID-7'],
      mobile: ['+61491570006', 'PID-14'],
      'accession number': ['193901-CT', 'OBR-3'],
      modality: ['CT', 'OBR-21'],
    });
    expect(shown?.reading?.warnings.map(({ code }) => code)).to.include('patient-number-elsewhere');
    expect(shown?.segments[0]).to.match(/^MSH\|/);
  });

  it('is read in the form that it was first kept in, too', async () => {
    expect(await receive(order('193902-CT'))).to.contain('MSA|AA|');
    const controlId = '20260401100000-193902-CT-NW';
    const shown = await database.operations.showMessage(controlId, VIEWER);
    expect(shown?.reading?.patient).not.to.deep.equal([]);
    const reading = JSON.stringify(shown?.reading);
    const named = `UPDATE hl7_messages SET reading = CAST(:reading AS jsonb) WHERE control_id = :controlId`;
    await database.db.raw(named, { reading, controlId });
    expect((await database.operations.showMessage(controlId, VIEWER))?.reading).to.deep.equal(shown?.reading);
  });

  it('is told of one that is only tried, with what would follow, and nothing is kept', async () => {
    const tables = ['hl7_messages', 'patients', 'studies', 'reports', 'sms_messages', 'graphile_worker._private_jobs'];
    const before = await Promise.all(tables.map(count));
    const refused = Buffer.from('MSH|^~\\&|RIS||||20260401||MDM^T02|M1|P|2.4\rPID|1||P1');
    const [first, second, third] = await database.operations.tryMessages(
      [order('TRIED-1'), report('TRIED-1'), refused],
      VIEWER,
    );
    expect(first).to.include({ answer: 'AA', reason: null });
    expect(second?.orders).to.have.length(1);
    expect(second?.orders[0]).to.deep.include({ accessionNumber: 'TRIED-1', modality: 'CT' });
    expect(second?.orders[0]?.text?.state).to.equal('queued');
    expect([third?.answer, third?.orders]).to.deep.equal(['AR', []]);
    expect(third?.reason).to.contain('not taken');
    expect(await Promise.all(tables.map(count))).to.deep.equal(before);
  });

  it('a wrong order is taken back, which frees the images that it drew to it, until it is ordered again', async () => {
    expect(await receive(order('WRONG-1'))).to.contain('MSA|AA|');
    const study = { ...benchStudy(1, 1, 1), studyInstanceUid: '2.25.801' };
    const identity = {
      patientId: '107601',
      issuerOfPatientId: '',
      patientName: 'SAMPLE^MEI LING',
      patientBirthDate: '19300104',
    };
    const batch = dicomBatch([study], 1, {
      accessionNumber: 'WRONG-1',
      patientSex: 'F',
      studyDate: '20260401',
      ...identity,
    });
    const { operations } = database;
    await operations.transaction((tx) => operations.take(tx, batch, NOW));
    expect(await studyStatus('2.25.801')).to.equal('linked');
    await operations.withdrawOrder('wrong-1', BY);
    expect(await studyStatus('2.25.801')).to.equal('provisional');
    const again = await operations.withdrawOrder('WRONG-1', BY).then(() => null, asFailure);
    expect(again?.code).to.equal('accession-unknown');
    expect(await receive(order('WRONG-1', 'XO', '20260401110000'))).to.contain('MSA|AA|');
    expect(await studyStatus('2.25.801')).to.equal('linked');

    await operations.resolve('2.25.801', { kind: 'confirm' }, BY);
    const moved = order('WRONG-1', 'XO', '20260401120000').toString().replace('107601', '107602');
    const other = moved.replace('SAMPLE^MEI LING', 'ELSE^ANY').replace('19300104', '19600101');
    expect(await receive(Buffer.from(other))).to.contain('MSA|AA|');
    const contested = (await operations.show('2.25.801', VIEWER))?.contested;
    expect(contested).to.include('name');
    await operations.withdrawOrder('WRONG-1', BY);
    const kept = await operations.show('2.25.801', VIEWER);
    expect([kept?.status, kept?.contested], 'taken back under a link by a person').to.deep.equal(['linked', contested]);
  });

  it('is printed for every file of the field, without a stack or an unexplained refusal', async function () {
    needsRealData(this, 'cases');
    this.timeout(120_000);
    const files = caseFiles();
    expect(files.length).to.be.greaterThan(25);
    const env = { PATH: process.env['PATH'], DATABASE_URL: database.url };
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [CLI, 'hl7', 'try', ...files], { env });
    expect(stderr).to.equal('');
    expect(stdout).to.not.match(/\n\s+at /);
    const heads = stdout.split(/^(?=MESSAGE )/m);
    expect(heads.length).to.be.at.least(files.length);
    for (const head of heads) {
      const [, answer] = /^ANSWER +(\w*)/im.exec(head) ?? [];
      if (answer === 'AR') expect(head).to.match(/^why +\S/im);
    }
  });

  it('is told of a file with several messages, with other settings for senders', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'axis-try-'));
    try {
      const file = join(folder, 'two.hl7');
      writeFileSync(
        file,
        Buffer.concat([
          Buffer.from('\x0b'),
          order('T-1'),
          Buffer.from('\x1c\r\x0b'),
          order('T-2'),
          Buffer.from('\x1c\r'),
        ]),
      );
      const env = { PATH: process.env['PATH'], DATABASE_URL: database.url };
      const args = [CLI, 'hl7', 'try', file, '--senders', 'Voyager: accession=ORC-2', '--json'];
      const { stdout } = await promisify(execFile)(process.execPath, args, { env });
      const trials = z.array(
        z.object({ answer: z.string(), reading: z.object({ studies: z.array(z.array(z.unknown())) }) }),
      );
      const parsed = trials.parse(JSON.parse(stdout));
      expect(parsed.map(({ answer }) => answer)).to.deep.equal(['AA', 'AA']);
      expect(JSON.stringify(parsed)).to.contain('ORC-2');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
