/** A slice of a list, and where the next one starts. */
export interface Page<T> {
  readonly nodes: readonly T[];
  readonly hasNextPage: boolean;
  /** Opaque; null when `nodes` is empty. */
  readonly endCursor: string | null;
}

export const PAGE_SIZE_MAX = 100;

const CURSOR_VERSION = 'c1:';

/** Hides a sort key in text that clients have no reason to take apart. */
export function toCursor(key: string): string {
  return Buffer.from(CURSOR_VERSION + key, 'utf8').toString('base64url');
}

/** Returns the sort key, or null when `cursor` is not one that `toCursor` made. */
export function parseCursor(cursor: string): string | null {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!text.startsWith(CURSOR_VERSION)) return null;
  const key = text.slice(CURSOR_VERSION.length);
  return toCursor(key) === cursor ? key : null;
}
