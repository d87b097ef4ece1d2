export type { BackgroundSettings } from './background.ts';
export { DEFAULT_BACKGROUND_SETTINGS, startBackground } from './background.ts';
