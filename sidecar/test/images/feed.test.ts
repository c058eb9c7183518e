import { expect } from 'chai';
import { z } from 'zod';
import { crImage, ctSeries } from '../../dev/phantoms.ts';
import { orthancRest } from '../support/orthanc-rest.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';

const COUNT = z.object({ n: z.number() });
// Stands for any value that the database does not take.
const REFUSE = `
CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.sop_instance_uid = '2.25.7001.1.4' THEN RAISE EXCEPTION 'refused' USING ERRCODE = '22021'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refuse_one BEFORE INSERT ON images FOR EACH ROW EXECUTE FUNCTION refuse_one()`;

describe('the feed', () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({ SWEEP_INTERVAL_MS: '500' });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });
  const images = async (study: string): Promise<number> => {
    const sql = `SELECT count(*)::int AS n FROM images i JOIN series e ON e.id = i.series_id
                 JOIN dicom_studies d ON d.id = e.dicom_study_id WHERE d.study_instance_uid = $1`;
    return (await rig.rows(sql, COUNT, [study]))[0]?.n ?? 0;
  };

  it('sets aside the one instance that cannot be taken, and goes on with all others', async () => {
    await rig.execute(REFUSE);
    await rig.store(...ctSeries({ StudyInstanceUID: '2.25.7001', PatientID: 'F1' }, '2.25.7001.1', 9));
    await rig.store(crImage({ StudyInstanceUID: '2.25.7002', PatientID: 'F2' }, '2.25.7002.1'));
    await eventually('the others', async () => (await images('2.25.7001')) === 8 && (await images('2.25.7002')) === 1);
    const failures = await rig.rows(
      `SELECT part, code FROM failures`,
      z.object({ part: z.string(), code: z.string() }),
    );
    expect(failures).to.deep.equal([{ part: 'feed', code: 'postgres-22021' }]);
  });

  it('takes what was set aside once it can be taken, and forgets the failure', async () => {
    await rig.execute('DROP TRIGGER refuse_one ON images');
    await eventually('the ninth', async () => (await images('2.25.7001')) === 9);
    await rig.until('the failure to go', 'SELECT NOT EXISTS (SELECT 1 FROM failures)');
  });

  it('is followed again when it ends before the cursor for some time', async () => {
    await rig.settled();
    await rig.execute('UPDATE feed_cursor SET seq = seq + 1000');
    await rig.store(crImage({ StudyInstanceUID: '2.25.7003', PatientID: 'F3' }, '2.25.7003.1'));
    await eventually('the new image', async () => (await images('2.25.7003')) === 1);
    await rig.until('the cursor to come back', 'SELECT seq < 1000 FROM feed_cursor');
    expect(await images('2.25.7001')).to.equal(9);
  });

  it('of another Orthanc is read from its start, and nothing is taken twice', async () => {
    await rig.settled();
    const all = 'SELECT count(*)::int AS n FROM images';
    const before = await rig.rows(all, COUNT);
    await rig.execute(`UPDATE feed_cursor SET server_id = 'another'`);
    await rig.until('the feed to be followed again', `SELECT server_id <> 'another' FROM feed_cursor`);
    await rig.settled();
    expect(await rig.rows(all, COUNT)).to.deep.equal(before);
  });
});

describe('the feed, where it ends before the cursor', () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({ SWEEP_INTERVAL_MS: '86400000', POLL_INTERVAL_MS: '100' });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });
  const image = (number: number): Buffer =>
    crImage({ StudyInstanceUID: `2.25.720${number}`, PatientID: `B${number}` }, `2.25.720${number}.1`);
  const has = (number: number): Promise<void> =>
    rig.until(
      `image ${number}`,
      `SELECT EXISTS (SELECT 1 FROM images i JOIN series e ON e.id = i.series_id
         JOIN dicom_studies d ON d.id = e.dicom_study_id WHERE d.study_instance_uid = $1)`,
      [`2.25.720${number}`],
    );
  const logged = (text: string): readonly string[] => rig.logged.filter((line) => line.includes(text));
  const taken = (): number =>
    logged('feed followed').reduce(
      (sum, line) => sum + z.object({ instances: z.number() }).parse(JSON.parse(line)).instances,
      0,
    );

  it('is followed from its end: nothing is read twice, and what is new is taken', async () => {
    for (const number of [1, 2, 3]) {
      await rig.store(image(number));
      await has(number);
      await rig.settled();
    }
    const query = { Level: 'Study', Query: { StudyInstanceUID: '2.25.7203' } };
    const [newest = ''] = z.array(z.string()).parse(await orthancRest(rig.orthanc, 'POST', '/tools/find', query));
    await orthancRest(rig.orthanc, 'DELETE', `/studies/${newest}`);
    await eventually('it to be noticed', () => Promise.resolve(logged('ended before its cursor').length === 1));
    await rig.store(image(4));
    await has(4);
    await rig.settled();
    expect(taken()).to.equal(4);
    expect(logged('ended before its cursor')).to.have.length(1);
    await rig.until(
      'the sweep that followed',
      `SELECT status = 'deleted' FROM dicom_studies WHERE study_instance_uid = '2.25.7203'`,
    );
  });

  it('is swept at once for what an older state of Orthanc has brought meanwhile', async () => {
    await rig.settled();
    const swept = logged('"swept"').length;
    await rig.execute('UPDATE feed_cursor SET seq = seq + 1000');
    await rig.store(image(5));
    await has(5);
    await eventually('the sweep', () => Promise.resolve(logged('"swept"').length > swept));
  });
});
