export type { Config, DatabaseUrls, Environment, Secrets } from './config.ts';
export { readConfig, settingNames } from './config.ts';
export type { Role } from './roles.ts';
export { ALL_ROLES, ROLES } from './roles.ts';
