import { BlobServiceClient } from '@azure/storage-blob';
import { expect } from 'chai';
import sharp from 'sharp';
import { z } from 'zod';
import { ctSeries, crImage, usClip } from '../../dev/phantoms.ts';
import { adt, merge, orm, oru } from '../../dev/ris-messages.ts';
import { orderOf, person, reportOf, tagsOf } from '../support/people.ts';
import { startRig, type Rig } from '../support/rig.ts';

const order = (accessionNumber: string, modality = 'CT') => orderOf(accessionNumber, modality);
const report = (accessionNumber: string, status: string, modality = 'CT') => ({
  ...reportOf(accessionNumber, status, modality),
  lines: ['All is well.', 'Nothing further.'],
  reported: '',
});

const LINK = z.object({
  status: z.string(),
  rule: z.string(),
  accession: z.string().nullable(),
  patient: z.string().nullable(),
});
const linkOf = async (rig: Rig, uid: string) =>
  (
    await rig.rows(
      `SELECT d.status, d.rule, s.accession_number AS accession, p.external_id AS patient
       FROM dicom_studies d JOIN studies s ON s.id = d.study_id JOIN patients p ON p.id = s.patient_id
       WHERE d.study_instance_uid = $1`,
      LINK,
      [uid],
    )
  )[0];
const textsTo = (rig: Rig, accession: string) =>
  rig.sandbox.messages.filter(({ body }) => body.endsWith(`ref=${accession}`));

describe('the main path, from modality and RIS to blob and text', () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig();
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });
  const taken = async (message: string) => {
    expect(await rig.ris.send(message)).to.contain('MSA|AA|');
  };

  it('links an ordered study by its accession number, mirrors every image and texts once on the final report', async () => {
    const who = person('M1');
    await taken(orm(rig.head(), who, order('A1')));
    await rig.store(...ctSeries(tagsOf(who, '2.25.1001', ' a1 '), '2.25.1001.1', 5));
    await rig.settled();
    expect(await linkOf(rig, '2.25.1001')).to.deep.equal({
      status: 'linked',
      rule: 'accession',
      accession: 'A1',
      patient: 'M1',
    });
    await taken(oru(rig.head(), who, report('A1', 'P')));
    await rig.settled();
    expect(textsTo(rig, 'A1')).to.have.length(0);
    await taken(oru(rig.head(), who, report('A1', 'F')));
    await taken(oru(rig.head(), who, report('A1', 'C')));
    await rig.settled();
    expect(textsTo(rig, 'A1').map(({ to, body }) => ({ to, body }))).to.deep.equal([
      {
        to: '+61491570006',
        body: 'Your CT results are ready! View: https://portal.axisimaging.example/results?ref=A1',
      },
    ]);
    const versions = await rig.rows(
      `SELECT r.version, r.status, r.body FROM reports r JOIN studies s ON s.id = r.study_id WHERE s.accession_number = 'A1' ORDER BY 1`,
      z.object({ version: z.number(), status: z.string(), body: z.string() }),
    );
    expect(versions.map(({ status }) => status)).to.deep.equal(['preliminary', 'final', 'corrected']);
    expect(versions[1]?.body).to.equal('All is well.\nNothing further.');
  });

  it('writes JPEG blobs with their headers into a private container: a rendering and a thumbnail of 256 pixels', async () => {
    const who = person('M2');
    await rig.store(crImage(tagsOf(who, '2.25.1002', 'A2'), '2.25.1002.1'));
    await rig.settled();
    const [image] = await rig.rows(
      `SELECT i.image_url, i.thumbnail_url FROM images i WHERE i.sop_instance_uid = '2.25.1002.1.1'`,
      z.object({ image_url: z.string(), thumbnail_url: z.string() }),
    );
    expect((await fetch(image!.image_url)).status, 'without a key').to.be.oneOf([401, 403, 404, 409]);
    const service = BlobServiceClient.fromConnectionString(rig.config.AZURE_STORAGE_CONNECTION_STRING);
    const container = service.getContainerClient(rig.config.AZURE_STORAGE_CONTAINER);
    for (const [url, width, height] of [
      [image!.image_url, 512, 640],
      [image!.thumbnail_url, 205, 256],
    ] as const) {
      const blob = container.getBlobClient(decodeURIComponent(url.slice(`${container.url}/`.length)));
      const properties = await blob.getProperties();
      expect(properties.contentType).to.equal('image/jpeg');
      expect(properties.cacheControl).to.match(/^private, max-age=\d+/);
      const picture = await sharp(await blob.downloadToBuffer()).metadata();
      expect([picture.format, picture.width, picture.height]).to.deep.equal(['jpeg', width, height]);
    }
  });

  it('renders the middle frame of a clip', async () => {
    const who = person('M3');
    await rig.store(usClip(tagsOf(who, '2.25.1003', 'A3'), '2.25.1003.1', 9));
    await rig.settled();
    const [image] = await rig.rows(
      `SELECT orthanc_id, number_of_frames, image_url FROM images WHERE sop_instance_uid = '2.25.1003.1.1'`,
      z.object({ orthanc_id: z.string(), number_of_frames: z.number(), image_url: z.string() }),
    );
    expect(image?.number_of_frames).to.equal(9);
    const auth = `Basic ${Buffer.from(`${rig.orthanc.username}:${rig.orthanc.password}`).toString('base64')}`;
    const frame = await fetch(`${rig.orthanc.url}/instances/${image!.orthanc_id}/frames/4/rendered?quality=90`, {
      headers: { Authorization: auth, Accept: 'image/jpeg' },
    });
    const service = BlobServiceClient.fromConnectionString(rig.config.AZURE_STORAGE_CONNECTION_STRING);
    const container = service.getContainerClient(rig.config.AZURE_STORAGE_CONTAINER);
    const blob = await container.getBlobClient(`images/${image!.orthanc_id}.jpg`).downloadToBuffer();
    expect(blob.equals(Buffer.from(await frame.arrayBuffer()))).to.equal(true);
  });

  it('lets an order that comes after its images adopt them', async () => {
    const who = person('M4');
    await rig.store(...ctSeries(tagsOf(who, '2.25.1004', 'A4'), '2.25.1004.1', 2));
    await rig.settled();
    expect(await linkOf(rig, '2.25.1004')).to.include({ status: 'provisional', accession: null });
    await taken(orm(rig.head(), who, order('A4')));
    expect(await linkOf(rig, '2.25.1004')).to.deep.equal({
      status: 'linked',
      rule: 'accession',
      accession: 'A4',
      patient: 'M4',
    });
    const left = await rig.rows(
      `SELECT id FROM studies WHERE source = 'dicom' AND study_instance_uid = '2.25.1004'
       UNION ALL SELECT id FROM patients WHERE source = 'dicom' AND external_id = 'M4'`,
      z.object({ id: z.string() }),
    );
    expect(left, 'nothing of the provisional study is left').to.have.length(0);
  });

  it('keeps a report that comes before order and images, and texts once', async () => {
    const who = person('M5');
    await taken(oru(rig.head(), who, report('A5', 'F', 'MR')));
    await rig.store(crImage(tagsOf(who, '2.25.1005', 'A5'), '2.25.1005.1'));
    await rig.settled();
    await taken(orm(rig.head(), who, order('A5', 'MR')));
    await taken(oru(rig.head(), who, report('A5', 'F', 'MR')));
    await rig.settled();
    expect(await linkOf(rig, '2.25.1005')).to.include({ status: 'linked', accession: 'A5' });
    expect(textsTo(rig, 'A5').map(({ body }) => body.split(' ')[1])).to.deep.equal(['MRI']);
  });

  it('links images without accession number by Patient ID and study date, else by name, birth date and modality', async () => {
    const [one, two] = [person('M6'), person('M7', { name: "O'BRIEN^Zoë", birthDate: '19910203' })];
    await taken(orm(rig.head(), one, order('A6', 'CR')));
    await taken(orm(rig.head(), two, order('A7', 'CR')));
    await rig.store(crImage(tagsOf(one, '2.25.1006'), '2.25.1006.1'));
    const stranger = { ...tagsOf(two, '2.25.1007'), PatientID: '', PatientName: 'OBRIEN^ZOE', StudyDate: '20260715' };
    await rig.store(crImage(stranger, '2.25.1007.1'));
    await rig.settled();
    expect(await linkOf(rig, '2.25.1006')).to.include({ rule: 'patient-id-date', accession: 'A6' });
    expect(await linkOf(rig, '2.25.1007')).to.include({ rule: 'name-birth-modality', accession: 'A7' });
  });

  it('sends to review what claims an accession number under another patient, and holds that study’s text', async () => {
    const [right, wrong] = [person('M8'), person('M9', { name: 'SMITH^Jane', birthDate: '19500505' })];
    await taken(orm(rig.head(), right, order('A8')));
    await rig.store(...ctSeries(tagsOf(wrong, '2.25.1008', 'A8'), '2.25.1008.1', 1));
    await rig.settled();
    expect(await linkOf(rig, '2.25.1008')).to.deep.equal({
      status: 'review',
      rule: 'accession',
      accession: null,
      patient: 'M9',
    });
    await taken(oru(rig.head(), right, report('A8', 'F')));
    await rig.settled();
    expect(textsTo(rig, 'A8')).to.have.length(0);
    const [held] = await rig.rows(
      `SELECT m.state, m.reason FROM sms_messages m JOIN studies s ON s.id = m.study_id WHERE s.accession_number = 'A8'`,
      z.object({ state: z.string(), reason: z.string() }),
    );
    expect(held).to.deep.equal({ state: 'held', reason: 'study-in-review' });
  });

  it('follows a changed name and a merged patient', async () => {
    const [prior, married] = [person('M10'), person('M11', { name: 'JONES^Person' })];
    await taken(orm(rig.head(), prior, order('A10')));
    await rig.store(crImage(tagsOf(prior, '2.25.1010', 'A10'), '2.25.1010.1'));
    await rig.settled();
    await taken(merge(rig.head(), married, { id: 'M10' }));
    await taken(adt('A08', rig.head(), { ...married, phone: '0491 570 157^PRN^CP' }));
    expect(await linkOf(rig, '2.25.1010')).to.include({ status: 'linked', accession: 'A10', patient: 'M11' });
    await taken(oru(rig.head(), prior, report('A10', 'F')));
    await rig.settled();
    expect(textsTo(rig, 'A10').map(({ to }) => to)).to.deep.equal(['+61491570157']);
  });

  it('changes nothing when the feed is read again from its start', async () => {
    const everything = async () =>
      rig.rows(
        `SELECT md5(coalesce(string_agg(line, '' ORDER BY line), '')) AS hash, count(*)::int AS rows FROM (
           SELECT 'p' || to_jsonb(p)::text AS line FROM patients p UNION ALL SELECT 's' || to_jsonb(s)::text FROM studies s
           UNION ALL SELECT 'd' || to_jsonb(d)::text FROM dicom_studies d UNION ALL SELECT 't' || to_jsonb(t)::text FROM dicom_study_tags t
           UNION ALL SELECT 'l' || to_jsonb(l)::text FROM link_decisions l UNION ALL SELECT 'e' || to_jsonb(e)::text FROM series e
           UNION ALL SELECT 'i' || to_jsonb(i)::text FROM images i UNION ALL SELECT 'm' || to_jsonb(m)::text FROM sms_messages m
         ) AS everything`,
        z.object({ hash: z.string(), rows: z.number() }),
      );
    const was = await everything();
    expect(was[0]?.rows).to.be.greaterThan(30);
    await rig.execute('UPDATE feed_cursor SET seq = 0');
    await rig.settled();
    expect(await everything()).to.deep.equal(was);
  });

  it('logs no patient data', () => {
    expect(rig.logged.length).to.be.greaterThan(5);
    for (const line of rig.logged) expect(line).not.to.match(/nguyen|o'?brien|smith|19800102|491570006/i);
  });
});
