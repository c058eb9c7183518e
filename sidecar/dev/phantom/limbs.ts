import { cloud, ellipse, grain, joined, ramp, rod, within, type Point } from './shapes.ts';

/** Letters of lead: their rows from above, with a bit for each dot of a row. */
const LETTERS = { L: [16, 16, 16, 16, 16, 16, 31], R: [30, 17, 17, 30, 20, 18, 17] };

function letter(x: number, y: number, which: keyof typeof LETTERS, [left, top]: Point): boolean {
  const [column, row] = [Math.floor((x - left) / 0.018), Math.floor((y - top) / 0.018)];
  return column >= 0 && column < 5 && (((LETTERS[which][row] ?? 0) >> (4 - column)) & 1) === 1;
}

/** How much brighter bone is than flesh: most at its edge, less in its marrow, with a fine mesh. */
function bone(x: number, y: number, outside: number): number {
  if (outside > 0.02) return 0;
  const mesh = 0.05 * (cloud(70 * x, 45 * y) - 0.5) + 0.03 * (cloud(120 * x, 120 * y) - 0.5);
  return (
    within(outside, 0.012) * (0.24 + mesh + 0.16 * ramp(outside, -0.035, -0.008) - 0.06 * ramp(outside, -0.06, -0.14))
  );
}

const picture = (x: number, y: number, flesh: number, bones: number): number => {
  const thick = ramp(-flesh, -0.01, 0.16);
  return Math.min(0.97, 0.03 + 0.3 * thick + 0.05 * thick * cloud(5 * x, 5 * y) + bones + 0.02 * (grain(x, y) - 0.5));
};

const CARPALS: readonly (readonly [cx: number, cy: number, rx: number, ry: number])[] = [
  [0.215, 0.075, 0.1, 0.08], [0.035, 0.1, 0.085, 0.07], [-0.125, 0.06, 0.075, 0.07], [-0.15, 0.03, 0.045, 0.045],
  [0.275, -0.1, 0.085, 0.075], [0.145, -0.12, 0.055, 0.06], [0.015, -0.085, 0.075, 0.11], [-0.125, -0.105, 0.08, 0.09],
]; // prettier-ignore

const RAYS: readonly (readonly [base: Point, head: Point, tip: Point])[] = [
  [
    [0.36, -0.2],
    [0.53, -0.5],
    [0.62, -0.78],
  ],
  [
    [0.165, -0.265],
    [0.25, -0.74],
    [0.31, -1.2],
  ],
  [
    [0.035, -0.27],
    [0.055, -0.79],
    [0.07, -1.25],
  ],
  [
    [-0.085, -0.265],
    [-0.125, -0.73],
    [-0.16, -1.2],
  ],
  [
    [-0.185, -0.25],
    [-0.285, -0.64],
    [-0.36, -1.05],
  ],
];

/** A long bone with a head at either end. */
const long = (x: number, y: number, from: Point, to: Point, width: number): number => {
  const heads = Math.min(
    ellipse(x, y, ...from, width * 1.45, width * 1.45),
    ellipse(x, y, ...to, width * 1.45, width * 1.45),
  );
  return joined(rod(x, y, from, to, width), heads, 0.05);
};

/** A left wrist from the back: how bright the forearm, the wrist's eight bones and the hand's are, from 0 to 1. */
export function wrist(across: number, y: number): number {
  const x = 0.8 * across;
  const radius = joined(
    rod(x, y, [0.15, 1.2], [0.14, 0.42], 0.095, 0.105),
    rod(x, y, [0.1, 0.27], [0.22, 0.23], 0.1, 0.085),
    0.14,
  );
  const ulna = joined(
    rod(x, y, [-0.16, 1.2], [-0.17, 0.42], 0.075, 0.07),
    ellipse(x, y, -0.165, 0.31, 0.095, 0.085),
    0.06,
  );
  let bones = bone(x, y, radius) + bone(x, y, Math.min(ulna, rod(x, y, [-0.22, 0.28], [-0.235, 0.2], 0.025, 0.015)));
  let flesh = joined(rod(x, y, [0, 1.2], [0, 0.5], 0.36, 0.35), rod(x, y, [0, 0.5], [0.02, -0.1], 0.34, 0.36), 0.2);
  flesh = joined(flesh, rod(x, y, [0.0, -0.1], [-0.02, -0.7], 0.36, 0.36), 0.2);
  for (const [cx, cy, rx, ry] of CARPALS) bones += bone(x, y, ellipse(x, y, cx, cy, rx, ry));
  for (const [base, head, tip] of RAYS) {
    const finger = rod(x, y, base, tip, 0.13, 0.1);
    if (finger > 0.1) continue;
    const [dx, dy] = [(tip[0] - head[0]) * 0.22, (tip[1] - head[1]) * 0.22];
    const first: Point = [head[0] + dx, head[1] + dy];
    bones += bone(x, y, long(x, y, base, head, 0.042)) + bone(x, y, long(x, y, first, tip, 0.036));
    flesh = joined(flesh, finger, 0.08);
  }
  return letter(x, y, 'L', [0.62, 0.82]) ? 0.97 : picture(x, y, flesh, bones);
}

/** A right knee from the front: how bright it is, from 0 to 1. The joint space is narrower on the inner side. */
export function knee(across: number, y: number): number {
  const x = 0.8 * across;
  const condyles = Math.min(ellipse(x, y, -0.185, -0.1, 0.195, 0.175), ellipse(x, y, 0.185, -0.09, 0.2, 0.195));
  const thigh = joined(rod(x, y, [0.02, -1.2], [0, -0.36], 0.145, 0.17), condyles, 0.3);
  const notch = ellipse(x, y, 0, 0.08, 0.06, 0.16);
  const femur = Math.max(thigh, -notch);
  const plateau = Math.max(ellipse(x, y, 0, 0.24, 0.4, 0.22), (x < 0 ? 0.155 : 0.135) - y);
  const peaks = Math.min(
    rod(x, y, [-0.05, 0.2], [-0.04, 0.12], 0.035, 0.012),
    rod(x, y, [0.06, 0.2], [0.045, 0.1], 0.035, 0.012),
  );
  const tibia = joined(joined(plateau, rod(x, y, [0.01, 0.36], [0.03, 1.2], 0.19, 0.13), 0.22), peaks, 0.03);
  const fibula = joined(rod(x, y, [-0.36, 0.42], [-0.3, 1.2], 0.042), ellipse(x, y, -0.36, 0.36, 0.085, 0.075), 0.06);
  const kneecap = 0.55 * bone(x, y, ellipse(x, y, -0.01, -0.26, 0.16, 0.175));
  const flesh = Math.abs(x + 0.01) - (0.52 - 0.08 * ramp(y, -0.9, -0.1) + 0.04 * ramp(y, 0.2, 0.7));
  const bones = bone(x, y, femur) + bone(x, y, tibia) + bone(x, y, fibula) + kneecap;
  return letter(x, y, 'R', [-0.72, -0.9]) ? 0.97 : picture(x, y, flesh, bones);
}
