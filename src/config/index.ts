export type { Config, Environment, Secrets } from './config.ts';
export { readConfig, SETTINGS } from './config.ts';
export type { DatabaseUrls } from './logins.ts';
export { agree, LOGINS, loginsIn, loginsOf, settingNames } from './logins.ts';
export type { S3Config } from './s3.ts';
export type { Role } from './roles.ts';
export { ALL_ROLES, ROLES } from './roles.ts';
