import { expect } from 'chai';
import { z } from 'zod';
import { crImage } from '../../dev/phantoms.ts';
import { orm, oru } from '../../dev/ris-messages.ts';
import { orthancRest } from '../support/orthanc-rest.ts';
import { orderOf, person, reportOf, tagsOf } from '../support/people.ts';
import { startRig, type Rig } from '../support/rig.ts';

describe('labels in Orthanc Explorer', () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig();
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });
  const orthancIds = (uid: string) =>
    rig.rows(
      `SELECT t.orthanc_id AS id FROM dicom_study_tags t JOIN dicom_studies d ON d.id = t.dicom_study_id
       WHERE d.study_instance_uid = $1`,
      z.object({ id: z.string() }),
      [uid],
    );
  const labelsOf = async (uid: string) => {
    await rig.settled();
    const [study] = await orthancIds(uid);
    return z.array(z.string()).parse(await orthancRest(rig.orthanc, 'GET', `/studies/${study!.id}/labels`));
  };
  const taken = async (message: string) => {
    expect(await rig.ris.send(message)).to.contain('MSA|AA|');
  };

  it('follow every change of mind, and leave foreign ones alone', async () => {
    const who = person('L1');
    await rig.store(crImage(tagsOf(who, '2.25.2001', 'L1'), '2.25.2001.1'));
    expect(await labelsOf('2.25.2001')).to.deep.equal(['ris-provisional']);
    const [study] = await orthancIds('2.25.2001');
    await orthancRest(rig.orthanc, 'PUT', `/studies/${study!.id}/labels/teaching`);

    await taken(orm(rig.head(), who, orderOf('L1')));
    expect(await labelsOf('2.25.2001')).to.have.members(['ris-linked', 'teaching']);
    await taken(oru(rig.head(), who, reportOf('L1', 'P')));
    expect(await labelsOf('2.25.2001')).to.have.members(['ris-linked', 'teaching']);
    await taken(oru(rig.head(), who, reportOf('L1', 'F')));
    expect(await labelsOf('2.25.2001')).to.have.members(['ris-linked', 'report-final', 'teaching']);

    const other = person('L2', { name: 'SMITH^Jane', birthDate: '19500505' });
    await taken(orm(rig.head(), other, orderOf('L1')));
    expect(await labelsOf('2.25.2001')).to.have.members(['ris-review', 'teaching']);
  });

  it('are no failure where the study is gone', async () => {
    await rig.store(crImage(tagsOf(person('L3'), '2.25.2003', 'L3'), '2.25.2003.1'));
    await rig.settled();
    const [study] = await orthancIds('2.25.2003');
    await orthancRest(rig.orthanc, 'DELETE', `/studies/${study!.id}`);
    await taken(orm(rig.head(), person('L3'), orderOf('L3')));
    await rig.settled();
    const failed = await rig.rows(
      `SELECT task_identifier AS task FROM graphile_worker.jobs WHERE last_error IS NOT NULL`,
      z.object({ task: z.string() }),
    );
    expect(failed).to.deep.equal([]);
  });
});
