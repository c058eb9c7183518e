import { expect } from 'chai';
import { ctSeries, crImage } from '../../dev/phantoms.ts';
import { startMirrorWorld, type MirrorWorld } from '../support/mirror-world.ts';
import { eventually } from '../support/rig.ts';

const OTHERS = 24;

let series = 0;
const slices = (): Buffer[] => {
  const uid = `2.25.7001.${(series += 1)}`;
  return ctSeries({ StudyInstanceUID: '2.25.7001', PatientID: 'K1' }, uid, OTHERS);
};

describe('an image whose rendering kills', () => {
  let world: MirrorWorld;
  before(async () => {
    world = await startMirrorWorld();
  });
  after(() => world[Symbol.asyncDispose]());

  /** Stores a killer amid others while no sidecar runs, so that they are in work together. */
  const storeKiller = async (): Promise<string> => {
    const others = slices();
    await world.store(others.slice(0, 6));
    const uid = `2.25.7001.${(series += 1)}`;
    const [killer] = await world.store([crImage({ StudyInstanceUID: '2.25.7001', PatientID: 'K1' }, uid)]);
    await world.store(others.slice(6));
    return killer!;
  };
  /** Waits until the killer is set aside and so many others are mirrored. */
  const settled = async (killer: string, others: number, failedBefore: readonly string[] = []): Promise<void> => {
    const failed = [...failedBefore, killer];
    await eventually('the others to be mirrored, and the killer to be set aside', async () => {
      const images = await world.images();
      return images.length === others + failed.length && images.every(({ status }) => status !== 'pending');
    });
    const images = await world.images();
    expect(images.filter(({ status }) => status !== 'mirrored')).to.have.deep.members(
      failed.map((orthancId) => ({ orthancId, status: 'failed', reason: 'rendering-kills', begun: 0 })),
    );
    expect(images.filter(({ begun }) => begun > 0)).to.deep.equal([]);
    const [first, ...again] = world.blows.map(({ company }) => company);
    expect(first, 'in company at first').to.be.greaterThan(0);
    expect(again, 'then alone, twice').to.deep.equal([0, 0]);
  };
  let [killer, others] = ['', OTHERS];

  it('Orthanc is tried twice more, alone in all processes, then set aside; the others are mirrored', async () => {
    killer = await storeKiller();
    world.setKiller(killer, async () => {
      await world.orthanc.stop('SIGKILL');
      await world.orthanc.start();
      // So that it finds company again, if it is let.
      others += (await world.store(slices())).length;
      await eventually('more images to be known', async () => (await world.images()).length === others + 1);
      await world.hurry();
    });
    world.startSidecars(2);
    await eventually('three tries', () => Promise.resolve(world.blows.length === 3 && others === 4 * OTHERS));
    await settled(killer, others);
    await world.stopSidecars();
  });

  it('the sidecar likewise', async () => {
    const another = await storeKiller();
    others += OTHERS;
    world.setKiller(another, () => world.killSidecars());
    world.startSidecars(1);
    await settled(another, others, [killer]);
  });
});
