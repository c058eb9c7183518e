import { BlobServiceClient } from '@azure/storage-blob';
import { expect } from 'chai';
import sharp from 'sharp';
import { z } from 'zod';
import { cStore } from '../../dev/modality.ts';
import { needsRealData, realDicomFiles, type RealDicom } from '../support/real-data.ts';
import { startRig, type Rig } from '../support/rig.ts';

const INSTANCES = z.array(z.object({ ID: z.string(), ParentSeries: z.string() }));
const SERIES = z.array(z.object({ ID: z.string(), ParentStudy: z.string() }));

const IMAGES = `
SELECT i.orthanc_id, e.orthanc_id AS series, i.transfer_syntax_uid, i.mirror_status, i.mirror_reason, i.image_url,
       i.thumbnail_url, e.study_id = d.study_id AS together,
       ARRAY(SELECT t.orthanc_id FROM dicom_study_tags t WHERE t.dicom_study_id = d.id) AS studies
FROM images i JOIN series e ON e.id = i.series_id JOIN dicom_studies d ON d.id = e.dicom_study_id`;
const IMAGE = z.object({
  orthanc_id: z.string(),
  series: z.string(),
  transfer_syntax_uid: z.string(),
  mirror_status: z.string(),
  mirror_reason: z.string().nullable(),
  image_url: z.string().nullable(),
  thumbnail_url: z.string().nullable(),
  together: z.boolean(),
  studies: z.array(z.string()),
});

/** Runs `work` on all items, four at a time. */
async function inFours<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
}

describe('every real DICOM file, from C-STORE or upload to its blobs', () => {
  const started = new AsyncDisposableStack();
  let rig: Rig;
  const became = { 'c-store': 0, upload: 0, refused: 0 };

  const upload = async ({ bytes }: RealDicom): Promise<'upload' | 'refused'> => {
    const { status } = await fetch(`http://127.0.0.1:${rig.sidecar.httpPort}/api/modality/dicom`, {
      method: 'POST',
      headers: { 'X-API-Key': rig.apiKey, 'Content-Type': 'application/dicom' },
      body: new Uint8Array(bytes),
    });
    expect(status).to.be.oneOf([200, 422]);
    return status === 200 ? 'upload' : 'refused';
  };
  const fromOrthanc = async (path: string): Promise<Response> =>
    fetch(rig.orthanc.url + path, {
      headers: {
        Authorization: `Basic ${Buffer.from(`${rig.orthanc.username}:${rig.orthanc.password}`).toString('base64')}`,
        Accept: path.endsWith('/rendered') ? 'image/jpeg' : 'application/json',
      },
    });
  const images = (): Promise<z.output<typeof IMAGE>[]> => rig.rows(IMAGES, IMAGE);

  before(async function () {
    needsRealData(this, 'dicom');
    this.timeout(240_000);
    rig = started.use(await startRig());
    const to = { port: rig.orthanc.dicomPort, calledAeTitle: rig.orthanc.aeTitle };
    await inFours(realDicomFiles(), async (real) => {
      const how = (await cStore([real.bytes], to)).ok ? 'c-store' : await upload(real);
      became[how] += 1;
    });
    await rig.settled();
  });
  after(async () => {
    await started.disposeAsync();
  });

  it('takes nearly all of them by C-STORE', () => {
    expect(became['c-store'], JSON.stringify(became)).to.be.greaterThan(150);
  });

  it('has exactly one row for each instance that Orthanc kept, under the right series and study', async () => {
    const kept = INSTANCES.parse(await (await fromOrthanc('/instances?expand')).json());
    const studyOf = new Map(
      SERIES.parse(await (await fromOrthanc('/series?expand')).json()).map(({ ID, ParentStudy }) => [ID, ParentStudy]),
    );
    const rows = await images();
    expect(kept.length).to.be.greaterThan(150);
    expect(rows.map(({ orthanc_id: id }) => id).sort()).to.deep.equal(kept.map(({ ID }) => ID).sort());
    const rowOf = new Map(rows.map((row) => [row.orthanc_id, row]));
    for (const { ID, ParentSeries } of kept) {
      expect(rowOf.get(ID)?.series, ID).to.equal(ParentSeries);
      expect(rowOf.get(ID)?.studies, ID).to.include(studyOf.get(ParentSeries));
      expect(rowOf.get(ID)?.together, ID).to.equal(true);
    }
  });

  it('has two JPEG blobs for each image that can be drawn, the thumbnail at most 256 pixels long', async () => {
    const service = BlobServiceClient.fromConnectionString(rig.config.AZURE_STORAGE_CONNECTION_STRING);
    const container = service.getContainerClient(rig.config.AZURE_STORAGE_CONTAINER);
    const mirrored = (await images()).filter(({ mirror_status: status }) => status === 'mirrored');
    expect(mirrored.length).to.be.greaterThan(120);
    await inFours(mirrored, async ({ image_url: image, thumbnail_url: thumbnail }) => {
      const sizes = await Promise.all(
        [image, thumbnail].map(async (url) => {
          const name = decodeURIComponent((url ?? '').slice(`${container.url}/`.length));
          const jpeg = await container.getBlobClient(name).downloadToBuffer();
          await sharp(jpeg, { failOn: 'warning' }).raw().toBuffer();
          const { format, width, height } = await sharp(jpeg).metadata();
          expect(format).to.equal('jpeg');
          return Math.max(width, height);
        }),
      );
      expect(sizes[1]).to.equal(Math.min(256, sizes[0] ?? 0));
    });
  });

  it('has a reason for each one that cannot be drawn, which Orthanc cannot draw either', async () => {
    const others = (await images()).filter(({ mirror_status: status }) => status !== 'mirrored');
    expect(others.length).to.be.greaterThan(5);
    for (const { orthanc_id: id, mirror_status: status, mirror_reason: reason } of others) {
      expect(status, id).to.be.oneOf(['no-pixels', 'failed']);
      expect(reason, id).to.match(/^[a-z0-9:-]+(, [a-z0-9-]+)*$/);
      const rendered = await fromOrthanc(`/instances/${id}/rendered`);
      expect(rendered.status, `${id} ${reason ?? ''}`).not.to.equal(200);
    }
  });

  it('draws the JPEG 2000 and HTJ2K files itself', async () => {
    const ours = (await images()).filter(({ transfer_syntax_uid: uid }) => /\.4\.(9[0-3]|20[1-3])$/.test(uid));
    const drawn = ours.filter(({ mirror_status: status }) => status === 'mirrored');
    expect(ours.length).to.be.greaterThan(10);
    expect(drawn.length / ours.length, JSON.stringify(ours.map((row) => row.mirror_reason))).to.be.greaterThan(0.9);
  });
});
