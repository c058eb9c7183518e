import { expect } from 'chai';
import fc from 'fast-check';
import { blobNames, planRendering } from '../../../images/rules/rendering.ts';

const CT = '1.2.840.10008.5.1.4.1.1.2';
const LITTLE_ENDIAN = '1.2.840.10008.1.2.1';
const image = (changed: Partial<Parameters<typeof planRendering>[0]> = {}) =>
  planRendering({ sopClassUid: CT, transferSyntaxUid: LITTLE_ENDIAN, numberOfFrames: 1, ...changed });

describe('planning a rendering', () => {
  it('gives an image to Orthanc, then to the sidecar, and what is unknown too', () => {
    const both = {
      drawings: [
        { by: 'orthanc', frame: 0 },
        { by: 'sidecar', frame: 0 },
      ],
    };
    expect(image()).to.deep.equal(both);
    expect(image({ sopClassUid: '', transferSyntaxUid: '' })).to.deep.equal(both);
    expect(image({ sopClassUid: '1.2.3', transferSyntaxUid: '1.2.840.10008.1.2.4.80' })).to.deep.equal(both);
  });

  it('gives JPEG 2000 and HTJ2K to the sidecar alone', () => {
    for (const last of ['90', '91', '92', '93', '201', '202', '203']) {
      expect(image({ transferSyntaxUid: `1.2.840.10008.1.2.4.${last}`, numberOfFrames: 5 }), last).to.deep.equal({
        drawings: [{ by: 'sidecar', frame: 2 }],
      });
    }
  });

  it('takes the middle frame of several, and the first where that cannot be drawn', () => {
    for (const [frames, frame] of [
      [2, 1],
      [3, 1],
      [19, 9],
      [20, 10],
    ] as const) {
      expect(image({ numberOfFrames: frames })).to.deep.equal({
        drawings: [
          { by: 'orthanc', frame },
          { by: 'sidecar', frame },
          { by: 'orthanc', frame: 0 },
        ],
      });
    }
  });

  it('takes frames that the image has, each of them once from the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), (frames) => {
        const plan = image({ numberOfFrames: frames });
        const drawings = 'drawings' in plan ? plan.drawings : [];
        expect(drawings).not.to.deep.equal([]);
        for (const { frame } of drawings) expect(frame).to.be.within(0, frames - 1);
        expect(new Set(drawings.map(({ by, frame }) => `${by} ${frame}`)).size).to.equal(drawings.length);
      }),
    );
  });

  for (const [uid, kind] of [
    ['1.2.840.10008.5.1.4.1.1.88.59', 'ko'],
    ['1.2.840.10008.5.1.4.1.1.88.67', 'sr'],
    ['1.2.840.10008.5.1.4.1.1.104.1', 'pdf'],
    ['1.2.840.10008.5.1.4.1.1.104.3', 'encapsulated-model'],
    ['1.2.840.10008.5.1.4.1.1.11.1', 'presentation-state'],
    ['1.2.840.10008.5.1.4.1.1.9.1.1', 'waveform'],
    ['1.2.840.10008.5.1.4.1.1.481.3', 'rt-structure-set'],
    ['1.2.840.10008.5.1.4.1.1.481.5', 'rt-plan'],
    ['1.2.840.10008.5.1.4.1.1.66', 'raw-data'],
  ] as const) {
    it(`asks nobody to draw a ${kind}`, () => {
      expect(image({ sopClassUid: uid })).to.deep.equal({ nothing: `no-pixels:${kind}` });
    });
  }

  it('does not take for without pixels what only begins alike', () => {
    const segmentation = '1.2.840.10008.5.1.4.1.1.66.4';
    for (const uid of [
      segmentation,
      '1.2.840.10008.5.1.4.1.1.481.1',
      '1.2.840.10008.5.1.4.1.1.481.2',
      '1.2.840.10008.5.1.4.1.1.88',
    ]) {
      expect(image({ sopClassUid: uid }), uid).to.have.property('drawings');
    }
  });

  it('asks nobody to draw a video', () => {
    for (const last of ['100', '102', '106', '107', '108']) {
      expect(image({ transferSyntaxUid: `1.2.840.10008.1.2.4.${last}` })).to.deep.equal({ nothing: 'video' });
    }
  });
});

describe('blob names', () => {
  it('follow from Orthanc’s id', () => {
    const id = '0123abcd-0123abcd-0123abcd-0123abcd-0123abcd';
    expect(blobNames(id)).to.deep.equal({ image: `images/${id}.jpg`, thumbnail: `thumbnails/${id}.jpg` });
  });

  it('are made of nothing else', () => {
    for (const id of [
      '',
      '../secret',
      '0123ABCD-0123abcd-0123abcd-0123abcd-0123abcd',
      '0123abcd-0123abcd-0123abcd-0123abcd-0123abcd/x',
    ]) {
      expect(() => blobNames(id)).to.throw(RangeError);
    }
  });
});
