import type { IncomingMessage } from 'node:http';

/**
 * Whether a WebSocket may be opened from the page that asks for it. Browsers send `Origin` and let
 * any page ask; programs send none. A page of this very host may, others only by the allow-list.
 */
export function isOriginAllowed({ headers }: IncomingMessage, allowedOrigins: readonly string[]): boolean {
  const { origin, host } = headers;
  if (origin === undefined || allowedOrigins.includes(origin)) return true;
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
