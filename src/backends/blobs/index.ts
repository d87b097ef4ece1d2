export type { BlobsDeps } from './create-blobs.ts';
export { createBlobs } from './create-blobs.ts';
export type { ImageLinksDeps } from './create-image-links.ts';
export { createImageLinks } from './create-image-links.ts';
