import { ObjectError } from './object-store.ts';

export const CONTENT_TYPE_CHARS_MAX = 80;
const CONTENT_TYPE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** Throws INVALID_KEY when no store could keep `contentType`. */
export function checkContentType(contentType: string): void {
  if (contentType.length > CONTENT_TYPE_CHARS_MAX || !CONTENT_TYPE.test(contentType)) {
    throw new ObjectError('INVALID_KEY', `Not a content type: ${JSON.stringify(contentType.slice(0, 80))}.`);
  }
}
