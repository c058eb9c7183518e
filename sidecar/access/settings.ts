import { z } from 'zod';
import { addressList, count, port } from '../platform/settings.ts';
import { parseApiKeys, type ApiKey } from './rules/api-key.ts';

const apiKeys = z.string().transform((text, context): readonly ApiKey[] => {
  const { keys, problems } = parseApiKeys(text);
  for (const message of problems) context.addIssue({ code: 'custom', message });
  return keys;
});

export const ACCESS_SETTINGS = z.object({
  HTTP_HOST: z.string().default('0.0.0.0'),
  HTTP_PORT: port.default(8080),
  HTTP_MAX_CONNECTIONS: count(2, 100_000).default(500),
  HTTPS_CERTIFICATE: z.string().optional(),
  HTTPS_KEY: z.string().optional(),
  HTTPS_CLIENT_CA: z.string().optional(),
  TRUSTED_PROXIES: addressList.prefault(''),
  API_KEYS: apiKeys.prefault(''),
  OPERATOR_API_KEYS: apiKeys.prefault(''),
});
