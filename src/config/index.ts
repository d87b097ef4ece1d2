export type { Config, DatabaseUrls, Environment, Secrets } from './config.ts';
export { readConfig } from './config.ts';
