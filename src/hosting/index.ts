export type { DerivedKeys } from './derived-keys.ts';
export { deriveKeys } from './derived-keys.ts';
export type { HostedParts, HostOptions } from './host-parts.ts';
export { hostParts } from './host-parts.ts';
export { readRunFile } from './run-file.ts';
