import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { isTimeZone } from './rules/time-zone.ts';
import { parseAddresses } from './net/addresses.ts';

export const count = (lowest: number, highest: number) => {
  const error = `must be a whole number from ${lowest} to ${highest}`;
  return z.coerce.number({ error }).int({ error }).min(lowest, { error }).max(highest, { error });
};

export const port = count(0, 65_535);
export const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' });
export const yesOrNo = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((value) => value === 'true');

/** What `parse` makes of a text; `null` of one that is not `expected`. */
export const parsed = <T>(parse: (text: string) => T | null, expected: string) =>
  z.string().transform((text, context) => {
    const value = parse(text);
    if (value !== null) return value;
    context.addIssue({ code: 'custom', message: `must be ${expected}` });
    return z.NEVER;
  });

export const addressList = z.string().transform((text, context): readonly string[] => {
  const { addresses, problems } = parseAddresses(text);
  for (const message of problems) context.addIssue({ code: 'custom', message });
  return addresses;
});

export const PLATFORM_SETTINGS = z.object({
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' }),
  DATABASE_POOL_SIZE: count(4, 200).default(16),
  PRACTICE_TIME_ZONE: z
    .string()
    .refine(isTimeZone, 'must be an IANA time zone such as Australia/Melbourne')
    .default('Australia/Melbourne'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** The settings that name a certificate, and its file; or that are one, in PEM. */
export function certificateSettings(settings: Readonly<Record<string, unknown>>): { setting: string; file: string }[] {
  return Object.entries(settings).flatMap(([setting, file]) =>
    setting.endsWith('_CERTIFICATE') && typeof file === 'string' ? [{ setting, file }] : [],
  );
}

/** What is wrong with the settings, a line each, without the values of any. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`settings that cannot be used:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** The settings of these names that `environment` has, some from the files that `NAME_FILE` names; adds to `problems`. */
export function withSecretFiles(
  environment: NodeJS.ProcessEnv,
  problems: string[],
  names: readonly string[],
): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const name of names) {
    const [value, file] = [environment[name], environment[`${name}_FILE`]];
    if (value !== undefined && value !== '') settings[name] = value;
    if (file === undefined || file === '') continue;
    if (settings[name] !== undefined) problems.push(`${name}: is set, and ${name}_FILE too`);
    try {
      settings[name] = readFileSync(file, 'utf8').trim();
    } catch {
      problems.push(`${name}_FILE: cannot be read`);
    }
  }
  return settings;
}

/**
 * What `schema` makes of `environment`, with a line for each problem; `given` is what was there for it. An empty variable
 * counts as not set; any setting may come from the file that `NAME_FILE` names (Docker secrets).
 */
export function readSettings<T extends z.ZodRawShape>(schema: z.ZodObject<T>, environment: NodeJS.ProcessEnv) {
  const problems: string[] = [];
  const given = withSecretFiles(environment, problems, Object.keys(schema.shape));
  const { data, error } = schema.safeParse(given);
  for (const { path, message } of error?.issues ?? []) {
    const name = path.join('.');
    problems.push(`${name}: ${given[name] === undefined ? 'is not set' : message}`);
  }
  return { data, problems, given };
}
