import { expect } from 'chai';
import { z } from 'zod';
import { orm } from '../../dev/ris-messages.ts';
import { needsRealData, realDicomFiles } from '../support/real-data.ts';
import { startRig, type Rig } from '../support/rig.ts';

const LINKS = `
SELECT t.patient_id AS patient, d.status, coalesce(d.reason, d.rule) AS why
FROM dicom_studies d JOIN dicom_study_tags t ON t.dicom_study_id = d.id ORDER BY t.patient_id, d.study_instance_uid`;
const LINK = z.object({ patient: z.string(), status: z.string(), why: z.string() });

describe('real files that share an accession number', () => {
  const started = new AsyncDisposableStack();
  let rig: Rig;
  before(async function () {
    needsRealData(this, 'dicom');
    rig = started.use(await startRig());
  });
  after(async () => {
    await started.disposeAsync();
  });
  const files = (...endings: readonly string[]): Buffer[] =>
    realDicomFiles()
      .filter(({ file }) => endings.some((ending) => file.includes(ending)))
      .map(({ bytes }) => bytes);
  const order = async (id: string, name: string, accessionNumber: string, modality: string) => {
    const ordered = { accessionNumber, modality, procedure: 'EXAM', scheduled: '202607140900' };
    expect(await rig.ris.send(orm(rig.head(), { id, name, issuer: '' }, ordered))).to.contain('MSA|AA|');
  };

  it('are linked to the patient whose order it is, and to review for everybody else', async () => {
    await order('77654033', 'DOE^Archibald', '2', 'CT');
    await order('2008-4', 'YAMADA^Tarou~やまだ^たろう', '2008050417172310', 'CR');
    await rig.store(...files('77654033/CT2/17106', '98892001/CT5N/2062', '98892003/MR1/5641'));
    await rig.store(...files('charset_files/chrJapMulti.dcm', 'charset_files/chrKoreanMulti.dcm'));
    await rig.settled();
    expect(await rig.rows(LINKS, LINK)).to.deep.equal([
      { patient: '2008-3', status: 'review', why: 'patient-contradicts' },
      { patient: '2008-4', status: 'linked', why: 'accession' },
      { patient: '77654033', status: 'linked', why: 'accession' },
      { patient: '98890234', status: 'review', why: 'patient-contradicts' },
      { patient: '98890234', status: 'review', why: 'patient-contradicts' },
    ]);
  });

  it('put nothing of the other patients under the order', async () => {
    const under = await rig.rows(
      `SELECT s.accession_number AS accession, array_agg(DISTINCT t.patient_id ORDER BY t.patient_id) AS patients
       FROM images i JOIN series e ON e.id = i.series_id JOIN studies s ON s.id = e.study_id
       JOIN dicom_study_tags t ON t.dicom_study_id = e.dicom_study_id
       WHERE s.accession_number IS NOT NULL GROUP BY s.id ORDER BY 1`,
      z.object({ accession: z.string(), patients: z.array(z.string()) }),
    );
    expect(under).to.deep.equal([
      { accession: '2', patients: ['77654033'] },
      { accession: '2008050417172310', patients: ['2008-4'] },
    ]);
  });
});
