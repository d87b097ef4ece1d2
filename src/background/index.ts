export { startObjectKeeping } from './keep-objects.ts';
export type { ObjectKeepingSettings } from './object-keeping.ts';
export { DEFAULT_OBJECT_KEEPING_SETTINGS } from './object-keeping.ts';
export type { BackgroundSettings } from './background.ts';
export { DEFAULT_BACKGROUND_SETTINGS, startBackground } from './background.ts';
