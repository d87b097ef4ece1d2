import { DarkroomError } from './errors.ts';
import type { Fetch } from './http.ts';
import { unreachable } from './http.ts';

/** What a download needs to know of a picture. */
export interface Downloadable {
  /** Null once the picture has expired. */
  readonly url: string | null;
  /** Of the file, in hex. */
  readonly sha256: string;
}

export interface DownloadDeps {
  readonly fetch: Fetch;
  readonly downloadBytesMax: number;
  readonly downloadTimeoutMs: number;
}

/**
 * The bytes of a picture's file, checked against its digest. The key is not sent along: the URL alone
 * is the permission, and it may lead to another host than the API's.
 * Rejects with UNREACHABLE, BAD_ANSWER (with `status`), TOO_LARGE, DIGEST_MISMATCH or EXPIRED.
 */
export async function download(deps: DownloadDeps, { url, sha256 }: Downloadable): Promise<Uint8Array> {
  if (url === null) {
    throw new DarkroomError('EXPIRED', 'The picture is older than pictures are kept, and has been deleted.');
  }
  const bytes = await fetchBytes(deps, url);
  const digest = Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('hex');
  if (digest !== sha256) {
    throw new DarkroomError(
      'DIGEST_MISMATCH',
      'The downloaded file is not the one that was stored. Try again.',
    );
  }
  return bytes;
}

async function fetchBytes(deps: DownloadDeps, url: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await deps.fetch(url, { signal: AbortSignal.timeout(deps.downloadTimeoutMs) });
    if (!response.ok) {
      await response.body?.cancel();
      throw new DarkroomError('BAD_ANSWER', `The picture's link answered HTTP ${response.status}.`, {
        status: response.status,
      });
    }
    return await readAtMost(response, deps.downloadBytesMax);
  } catch (error) {
    throw error instanceof DarkroomError ? error : unreachable(url, error);
  }
}

// Counts what arrives and not what the header promises.
async function readAtMost(response: Response, bytesMax: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > bytesMax) {
      throw new DarkroomError('TOO_LARGE', `The file is larger than ${bytesMax} bytes.`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
