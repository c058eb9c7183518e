/** A place in an image. */
export type Point = readonly [x: number, y: number];

/** From 0 to 1 while `value` goes from `from` to `to`, without corners. */
export function ramp(value: number, from: number, to: number): number {
  const t = Math.min(1, Math.max(0, (value - from) / (to - from)));
  return t * t * (3 - 2 * t);
}

/** 1 inside, 0 outside, with an edge of about `width`, by how far outside a place is. */
export const within = (distance: number, width = 0.02): number => ramp(-distance, -width / 2, width / 2);

/** How far (x, y) is outside the ellipse about (cx, cy). Inside it is negative. */
export function ellipse(x: number, y: number, cx: number, cy: number, rx: number, ry: number): number {
  return (Math.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2) - 1) * Math.min(rx, ry);
}

/** How far (x, y) is outside a rod from `a` to `b`, as thick as `ra` there and `rb` there. */
export function rod(x: number, y: number, a: Point, b: Point, ra: number, rb = ra): number {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const along = ((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy);
  const t = Math.min(1, Math.max(0, along));
  return Math.sqrt((x - a[0] - t * dx) ** 2 + (y - a[1] - t * dy) ** 2) - (ra + t * (rb - ra));
}

/** Two distances as of one body, grown together over about `width`. */
export function joined(one: number, other: number, width: number): number {
  const h = Math.max(0, width - Math.abs(one - other)) / width;
  return Math.min(one, other) - (h * h * width) / 4;
}

/** A number from 0 to 1 that looks drawn by lot, the same for the same place. */
export function grain(x: number, y: number): number {
  let hash = Math.imul(Math.round(x * 4096), 0x27d4eb2d) ^ Math.imul(Math.round(y * 4096), 0x165667b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0xffffffff;
}

/** From 0 to 1 as clouds are: `grain` at whole numbers, and between them without corners. */
export function cloud(x: number, y: number): number {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [s, t] = [ramp(x - left, 0, 1), ramp(y - top, 0, 1)];
  const row = (at: number): number => grain(left, at) + s * (grain(left + 1, at) - grain(left, at));
  const upper = row(top);
  return upper + t * (row(top + 1) - upper);
}
