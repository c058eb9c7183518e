import { expect } from 'chai';
import { ctSeries, crImage } from '../../dev/phantoms.ts';
import { startMirrorWorld, type MirrorWorld } from '../support/mirror-world.ts';
import { eventually } from '../support/rig.ts';

const STUDY = { StudyInstanceUID: '2.25.7001', PatientID: 'K1', PatientName: 'KILL^Er', StudyDate: '20260714' };
const OTHERS = 24;

/** Stores a killer amid others while no sidecar runs, so that they are in work together. */
async function storeKiller(world: MirrorWorld): Promise<string> {
  const slices = ctSeries(STUDY, '2.25.7001.1', OTHERS);
  await world.store(slices.slice(0, 6));
  const [killer] = await world.store([crImage(STUDY, '2.25.7001.2')]);
  await world.store(slices.slice(6));
  return killer!;
}

/** Waits until so many others are mirrored and the killer is set aside, and says what it found. */
async function settled(world: MirrorWorld, killer: string, others: number): Promise<void> {
  await eventually('the others to be mirrored, and the killer to be set aside', async () => {
    const images = await world.images();
    return images.length === others + 1 && images.every(({ status }) => status !== 'pending');
  });
  const images = await world.images();
  expect(images.filter(({ status }) => status !== 'mirrored')).to.deep.equal([
    { orthancId: killer, status: 'failed', reason: 'rendering-kills', begun: 0 },
  ]);
  expect(images.filter(({ begun }) => begun > 0)).to.deep.equal([]);
}

describe('an image whose rendering kills', () => {
  let world: MirrorWorld;
  beforeEach(async () => {
    world = await startMirrorWorld();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  it('Orthanc is tried twice more, alone in all processes, then set aside; the others are mirrored', async () => {
    const killer = await storeKiller(world);
    let others = OTHERS;
    world.setKiller(killer, async () => {
      await world.orthanc.stop('SIGKILL');
      await world.orthanc.start();
      // So that it finds company again, if it is let.
      others += (await world.store(ctSeries(STUDY, `2.25.7001.3.${others}`, OTHERS))).length;
      await eventually('more images to be known', async () => (await world.images()).length === others + 1);
      await world.hurry();
    });
    world.startSidecars(2);
    await eventually('the killer to be tried three times', () => Promise.resolve(world.blows.length === 3));
    await eventually('the last images', () => Promise.resolve(others === 4 * OTHERS));
    await settled(world, killer, others);
    const [first, ...again] = world.blows.map(({ company }) => company);
    expect(first, 'in company at first').to.be.greaterThan(0);
    expect(again, 'then alone').to.deep.equal([0, 0]);
  });

  it('the sidecar likewise', async () => {
    const killer = await storeKiller(world);
    world.setKiller(killer, () => world.killSidecars());
    world.startSidecars(1);
    await settled(world, killer, OTHERS);
    const [first, ...again] = world.blows.map(({ company }) => company);
    expect(first, 'in company at first').to.be.greaterThan(0);
    expect(again, 'then alone').to.deep.equal([0, 0]);
  });
});
