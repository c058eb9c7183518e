import { expect } from 'chai';
import { z } from 'zod';
import { mllpFrame } from '../../hl7/rules/mllp.ts';
import { needsRealData, realHl7 as sharedHl7 } from '../support/real-data.ts';
import { startRig, type Rig } from '../support/rig.ts';

// Their accession number is the word `AccessionNumber`. One without a digit is none, so that it gets one here.
const realHl7 = (name: string): Buffer =>
  Buffer.from(sharedHl7(name).toString('latin1').replaceAll('|AccessionNumber|', '|AccessionNumber1|'), 'latin1');

// What each is answered, in the order they are sent; A47 is not taken, and SIU_S12 is acknowledged and ignored.
const MESSAGES: readonly (readonly [string, 'AA' | 'AR'])[] = [
  ['ADT_A31-UpdatePersonInfo.hl7', 'AA'],
  ['ADT_A31-UpdatePersonInfo-Veterinary.hl7', 'AA'],
  ['ORM_O01-GeneralOrder.hl7', 'AA'],
  ['OMI_O23-ImagingOrder.hl7', 'AA'],
  ['OMG_O19-GeneralClinicalOrder-Eyecare.hl7', 'AA'],
  ['ORU_R01-SR.hl7', 'AA'],
  ['ORU_R01-PDF.hl7', 'AA'],
  ['ORU_R01-CDA.hl7', 'AA'],
  ['ADT_A40-PatientMerge.hl7', 'AA'],
  ['ADT_A47-ChangePatientID.hl7', 'AR'],
  ['SIU_S12-NewAppointmentBooking.hl7', 'AA'],
];

describe('the real HL7 messages, on one connection', () => {
  const started = new AsyncDisposableStack();
  let rig: Rig;
  before(async function () {
    needsRealData(this, 'hl7');
    rig = started.use(await startRig());
  });
  after(async () => {
    await started.disposeAsync();
  });

  it('answers each, in order, by its control id', async () => {
    rig.ris.write(Buffer.concat(MESSAGES.map(([name]) => mllpFrame(realHl7(name)))));
    for (const [name, expected] of MESSAGES) {
      const answer = await rig.ris.answer();
      const controlId = realHl7(name).toString('latin1').split('|')[9] ?? 'none';
      expect(answer, name).to.contain(`MSA|${expected}|${controlId}`);
      if (expected === 'AR') expect(answer, name).to.match(/\rERR\|\|MSH\^1\^9\|20[01]\^\^HL70357\|E/);
    }
  });

  it('made the study of them, with its patient, announced UID and reports', async () => {
    const studies = await rig.rows(
      `SELECT s.accession_number, s.modality, s.study_instance_uid, p.name, CAST(p.birth_date AS text) AS birth_date
       FROM studies s JOIN patients p ON p.id = s.patient_id`,
      z.unknown(),
    );
    expect(studies).to.deep.equal([
      {
        accession_number: 'AccessionNumber1',
        modality: 'CT',
        study_instance_uid: '1.2.392.200036.9125.0.198811291108.7',
        name: 'Smith^Lucy^Mark',
        birth_date: '2014-10-14',
      },
    ]);
    const reports = await rig.rows(
      'SELECT version, status, body FROM reports ORDER BY version',
      z.object({ version: z.number(), status: z.string(), body: z.string() }),
    );
    expect(reports.map(({ version, status }) => [version, status])).to.deep.equal([
      [1, 'final'],
      [2, 'final'],
      [3, 'final'],
    ]);
    const lines = reports[0]?.body.split('\n') ?? [];
    expect(lines[0]).to.equal('The right kidney is slightly enlarged, but otherwise normal');
    expect(lines).to.include('Malignant neoplasm of left renal pelvis');
    expect(reports.map(({ body }) => body).join()).not.to.contain('1.2.392.200036');
  });

  it('kept the PDF whole, although a line end breaks its base64', async () => {
    const [pdf, cda] = await rig.rows(
      `SELECT content_type, convert_from(substring(content FOR 5), 'LATIN1') AS head,
              convert_from(substring(content FROM length(content) - 8), 'LATIN1') AS tail
       FROM report_attachments ORDER BY content_type`,
      z.object({ content_type: z.string(), head: z.string(), tail: z.string() }),
    );
    expect(pdf).to.deep.include({ content_type: 'application/pdf', head: '%PDF-' });
    expect(pdf?.tail).to.contain('%%EOF');
    expect(cda).to.deep.include({ content_type: 'text/xml', head: '<?xml' });
  });

  it('gives each message that comes again the answer it got, and no second effect', async () => {
    const count = () => rig.rows('SELECT count(*)::int AS n FROM reports', z.object({ n: z.number() }));
    const first = await rig.rows(
      'SELECT control_id, acknowledgment FROM hl7_messages ORDER BY id',
      z.object({ control_id: z.string(), acknowledgment: z.string() }),
    );
    expect(first.map(({ control_id: id }) => id)).to.have.length(MESSAGES.length);
    const was = await count();
    rig.ris.write(Buffer.concat(MESSAGES.map(([name]) => mllpFrame(realHl7(name)))));
    for (const { acknowledgment } of first) expect(await rig.ris.answer()).to.equal(acknowledgment);
    expect(await count()).to.deep.equal(was);
  });
});
