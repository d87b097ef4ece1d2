export type { PicturesOptions } from './pictures.ts';
export { createPictures } from './pictures.ts';
