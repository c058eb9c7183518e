import { cloud, ellipse, grain, joined, ramp, rod, within } from './shapes.ts';

/** After as many slices the head begins anew. */
export const HEAD_LEVELS = 20;

const AIR = -1000;
const CSF = 6;

/** How far a place is outside the ventricles at a level from 0 (where the frontal horns are) to 1 (the vertex). */
function ventricles(x: number, y: number, level: number): number {
  const side = Math.abs(x);
  const horns = rod(side, y, [0.045, -0.19], [0.12, -0.33], 0.035, 0.045);
  const trigones = rod(side, y, [0.2, 0.27], [0.25, 0.42], 0.055, 0.03);
  const third = rod(x, y, [0, -0.06], [0, 0.1], 0.018);
  if (level < 0.25) return Math.min(horns, trigones, third);
  const bodies = joined(
    rod(side, y, [0.06, -0.28], [0.1, 0.1], 0.05),
    rod(side, y, [0.1, 0.1], [0.2, 0.34], 0.05),
    0.05,
  );
  return bodies + 0.12 * ramp(level, 0.35, 0.6);
}

/** Hounsfield units of grey and white matter. The border between them and the furrows go in and out. */
function matter(x: number, y: number, depth: number, level: number): number {
  const angle = Math.atan2(x, -y);
  const fold = cloud(9 * angle + 40, 7 * level) + 0.5 * cloud(21 * angle + 90, 12 * level);
  const cortex = ramp(depth, 0.13 + 0.05 * fold, 0.05 + 0.05 * fold);
  const furrow = within(Math.abs(((9 * angle + 40 + fold) % 1) - 0.5) - 0.06, 0.08) * ramp(depth, 0.1, 0.02);
  const nuclei = level < 0.3 ? within(ellipse(Math.abs(x), y, 0.19, -0.02, 0.08, 0.17), 0.05) : 0;
  const tissue = 28 + 10 * Math.max(cortex, nuclei);
  return tissue + (CSF - tissue) * 0.8 * furrow;
}

/** Hounsfield units of a slice through a head: skull, brain, ventricles, one bright lesion in its oedema. */
export function head(x: number, y: number, slice: number): number {
  const level = (slice % HEAD_LEVELS) / HEAD_LEVELS;
  const size = Math.sqrt(1 - (0.8 * level) ** 2);
  const noise = 7 * (grain(x + level, y) + grain(x, y - level) - 1);
  const outside = ellipse(x, y, 0, 0, size * (0.69 + 0.06 * y), size * 0.88);
  if (outside > 0) return AIR + noise;
  const inner = -outside - 0.105;
  const brain = matter(x, y, Math.max(0, inner), level);
  const blend = (under: number, over: number, share: number): number => under + (over - under) * share;
  let value = blend(brain, CSF, within(inner - 0.012, 0.015));
  value = blend(value, CSF, within(ventricles(x, y, level), 0.02));
  const falx = Math.abs(y + 0.02) > 0.42 || level > 0.55 ? within(Math.abs(x) - 0.006, 0.012) : 0;
  value = blend(value, 58, falx);
  const near = Math.sqrt(Math.max(1e-6, 1 - ((level - 0.2) / 0.3) ** 2));
  value = blend(
    value,
    16,
    0.9 * within(ellipse(x, y, 0.36, 0.15, 0.19 * near, 0.22 * near) + 0.06 * cloud(12 * x, 12 * y), 0.06),
  );
  value = blend(
    value,
    74,
    within(ellipse(x, y, 0.36, 0.14, 0.075 * near, 0.095 * near) + 0.025 * cloud(16 * x, 16 * y), 0.02),
  );
  const diploe = 550 * within(Math.abs(-outside - 0.07) - 0.015, 0.02);
  value = blend(value, 1250 - diploe, within(inner, 0.012));
  const scalp = within(-outside - 0.035, 0.01);
  return blend(value, 25 - 90 * ramp(-outside, 0.008, 0.02), scalp) + noise;
}
