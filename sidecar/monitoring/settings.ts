import { z } from 'zod';
import { count, port } from '../platform/settings.ts';

export const MONITORING_SETTINGS = z.object({
  METRICS_HOST: z.string().default('127.0.0.1'),
  METRICS_PORT: port.optional(),
  FEED_MAX_LAG_SECONDS: count(1, 86_400).default(300),
});

export type MonitoringSettings = z.output<typeof MONITORING_SETTINGS>;
