export type { DerivedKeys } from './derived-keys.ts';
export { deriveKeys } from './derived-keys.ts';
export { openParts } from './open-parts.ts';
export type { Parts, PartsOptions } from './parts.ts';
export { readRunFile } from './run-file.ts';
