import { stopServices } from './services.ts';

/** Mocha's root hooks: whatever servers the tests started are stopped at the end, passed or not. */
export const mochaHooks = {
  async afterAll(): Promise<void> {
    await stopServices();
  },
};
