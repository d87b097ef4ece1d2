export { openBundle, openBundles, type Bundle } from './open-bundle.ts';
