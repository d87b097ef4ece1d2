export type { Config, DatabaseUrls, Environment, Secrets } from './config.ts';
export { readConfig, settingNames } from './config.ts';
