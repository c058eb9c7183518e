import { cloud, ellipse, grain, joined, ramp, rod, within, type Point } from './shapes.ts';

const VESSELS: readonly (readonly [Point, Point])[] = [
  [[0.2, -0.1], [0.36, -0.45]], [[0.2, -0.1], [0.52, -0.26]], [[0.22, -0.05], [0.6, 0.02]],
  [[0.22, 0], [0.58, 0.26]], [[0.2, 0.02], [0.42, 0.36]], [[0.24, -0.12], [0.44, -0.62]],
]; // prettier-ignore

/** How much of a place is lung, of the side that `side` is the distance from the midline on. */
function lung(side: number, y: number, isLeft: boolean): number {
  const t = Math.max(0, (y + 0.84) / 1.4);
  const outer = 0.2 + 0.55 * Math.sqrt(Math.min(1, t));
  const dome = (isLeft ? 0.46 : 0.4) + 1.6 * Math.max(0, side - 0.36) ** 2 + 0.3 * Math.max(0, 0.36 - side) ** 2;
  const borders = Math.max(0.1 - side + 0.05 * ramp(y, -0.5, -0.85), side - outer, y - dome, -0.84 - y);
  return within(borders, 0.05);
}

const RIBS = Array.from({ length: 10 }, (_, rib) => ({
  reach: 0.76 - 0.42 * Math.exp(-0.55 * rib),
  centre: -0.66 + 0.128 * rib,
  height: 0.1 + 0.018 * rib,
  front: 0.5 * ramp(rib, 7, 5),
}));

/** How much of a place is rib: behind, from the spine outwards and down, and in front, fainter, back towards the breastbone. */
function ribs(side: number, y: number): number {
  let sum = 0;
  for (const { reach, centre, height, front } of RIBS) {
    const below = y - centre;
    const drop = below < 0 ? height : height * 1.5;
    if (side > reach + 0.05 || Math.abs(below) > drop + 0.05) continue;
    const out = side / reach;
    const off = Math.abs(Math.sqrt(out ** 2 + (below / drop) ** 2) - 1) * (0.45 * drop + 0.55 * reach * out ** 4);
    if (off > 0.03) continue;
    const cortex = 0.6 + 0.4 * ramp(off, 0.008, 0.018);
    sum += (below < 0 ? 1 : front * ramp(side, 0.3, 0.42)) * cortex * within(off - 0.022, 0.012);
  }
  return Math.min(1.3, sum);
}

/** How much of a place is marked in the lungs: vessels from the root out, the root itself, a fine lace. */
function marks(x: number, y: number): number {
  const side = Math.abs(x);
  let vessel = 0;
  for (const [from, to] of VESSELS) vessel = Math.max(vessel, within(rod(side, y, from, to, 0.02, 0.005), 0.03));
  const root = within(ellipse(side, y, 0.2, -0.06, 0.08, 0.14), 0.1) * (0.6 + 0.4 * cloud(20 * x, 20 * y));
  return 0.1 * vessel + 0.14 * root + 0.05 * cloud(26 * x, 26 * y) + 0.03 * cloud(60 * x, 60 * y);
}

function middle(x: number, y: number): number {
  const heart = within(joined(ellipse(x, y, 0.06, 0.16, 0.2, 0.24), ellipse(x, y, 0.22, 0.27, 0.24, 0.17), 0.12), 0.05);
  const great = within(ellipse(x, y, 0.06, -0.24, 0.14, 0.2), 0.06);
  const column = within(Math.abs(x) - 0.12 - 0.03 * ramp(y, -0.4, -0.9), 0.05);
  return Math.max(heart, great, 0.9 * column);
}

/** A chest from the front: how bright lungs, ribs, collar bones, spine, windpipe, heart and diaphragm are, from 0 to 1. */
export function chest(x: number, y: number): number {
  const side = Math.abs(x);
  const shoulder = 0.22 + 0.74 * ramp(y, -0.98, -0.62) - 0.1 * ramp(y, -0.3, 0.3);
  const body = within(side - shoulder, 0.06);
  if (body === 0) return 0.02 + 0.01 * grain(x, y);
  const air = lung(side, y, x > 0);
  const centre = middle(x, y);
  const inLung = 0.16 + (air > 0 ? marks(x, y) : 0) + 0.08 * ramp(side, 0.5, 0.75);
  const tissue = 0.56 + 0.1 * ramp(y, 0.3, 0.7) - 0.18 * ramp(side, 0.72, 0.95);
  let value = tissue + (inLung - tissue) * air * (1 - 0.88 * centre);
  value -= 0.13 * within(ellipse(x, y, 0.34, 0.62, 0.17, 0.08), 0.06);
  const disc = 0.5 + 0.5 * Math.cos(44 * y);
  value +=
    within(side - 0.085, 0.02) * (0.06 + 0.05 * ramp(disc, 0.1, 0.4)) +
    0.05 * within(Math.abs(side - 0.085) - 0.008, 0.01);
  value -= 0.14 * within(rod(x, y, [0, -1.1], [0.01, -0.3], 0.035), 0.03);
  value -= 0.08 * within(rod(side, y, [0.01, -0.3], [0.13, -0.16], 0.025), 0.03);
  value += 0.13 * ribs(side, y) * ramp(y, 0.62, 0.4);
  const collar = Math.min(
    rod(side, y, [0.1, -0.64], [0.38, -0.7], 0.032),
    rod(side, y, [0.38, -0.7], [0.74, -0.84], 0.026),
  );
  value += 0.15 * within(collar, 0.015) + 0.05 * within(Math.abs(collar) - 0.006, 0.01);
  const blade = Math.max(ellipse(side, y, 0.78, -0.42, 0.15, 0.34), 0.66 - side);
  value += 0.09 * within(blade, 0.02) + 0.16 * within(ellipse(side, y, 0.95, -0.66, 0.11, 0.1), 0.02);
  return Math.min(0.97, Math.max(0.02, value * body + 0.015 * (grain(x, y) - 0.5)));
}
