import { cloud, ellipse, grain, ramp, rod, within } from './shapes.ts';

/** How bright tissue is that is `depth` and `angle` away from the probe: dots that grow wider with depth. */
function speckle(angle: number, depth: number): number {
  const [along, across] = [depth * 62, angle * 95];
  const wave = cloud(across, along) * 0.65 + cloud(across * 2.1 + 50, along * 1.7 + 9) * 0.35;
  return Math.min(2.2, Math.sqrt(-2 * Math.log(1.0001 - Math.min(1, 1.25 * wave))) * 0.62);
}

/**
 * A liver by a curved probe, rising and falling with breath: how bright it is, from 0 to 1. Gallbladder and vessels are
 * dark, and what lies behind the gallbladder is brighter.
 */
export function fan(across: number, y: number, frame: number): number {
  const x = 1.333 * across;
  if (across > 0.94 && Math.abs(y) < 0.6) return 0.5 - y / 1.2;
  const [angle, radius] = [Math.atan2(x, y + 1.62), Math.sqrt(x ** 2 + (y + 1.62) ** 2)];
  if (Math.abs(angle) > 0.56 || radius < 0.68 || radius > 2.56) return 0;
  const depth = radius - 0.68;
  const breath = 0.045 * Math.sin(frame / 3.8);
  const [tx, ty] = [x, y - breath];
  const gland = rod(tx, ty, [-0.28, 0.02], [0.2, -0.16], 0.21, 0.11);
  const vein = rod(tx, ty, [0.1, 0.42], [0.62, 0.2], 0.05, 0.035);
  const other = Math.min(
    rod(tx, ty, [0.3, -0.45], [0.46, -0.28], 0.025, 0.035),
    rod(tx, ty, [-0.55, 0.42], [-0.4, 0.5], 0.035),
  );
  const diaphragm = Math.abs(ellipse(tx, ty, 0.05, -0.4, 1.15, 1.16)) - 0.014;
  let echo = 0.29 - 0.05 * cloud(3 * tx, 3 * ty);
  echo += 0.32 * within(Math.abs(vein) - 0.015, 0.03) + 0.45 * within(Math.abs(gland) - 0.012, 0.03);
  echo += 0.8 * within(diaphragm, 0.03) - 0.2 * ramp(ellipse(tx, ty, 0.05, -0.4, 1.15, 1.16), 0.02, 0.2);
  echo += 0.4 * within(depth - 0.05, 0.06);
  const behind = within(Math.abs(angle + 0.035) - 0.165, 0.05) * ramp(ty + 0.6 * angle, 0.1, 0.25);
  echo *= 1 + 0.9 * behind;
  const hollow = Math.max(within(gland, 0.02), within(vein, 0.02), within(other, 0.02));
  echo *= 1 - 0.95 * hollow;
  const gain = 1 - 0.28 * ramp(depth, 0.9, 1.9);
  const dots = speckle(angle, depth - breath * Math.cos(angle));
  return Math.min(1, Math.max(0, echo * gain * dots + 0.025 * grain(x + frame, y)));
}
