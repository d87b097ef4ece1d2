import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import { checkContentType } from './content-type.ts';
import { checkKey, checkPrefix } from './keys.ts';
import type {
  ListedObject,
  ObjectHead,
  ObjectStore,
  OpenedObject,
  PutOptions,
  StoredObject,
} from './object-store.ts';
import { ObjectError } from './object-store.ts';
import { prepareBucket } from './prepare-bucket.ts';
import type { Bucket, S3Settings } from './s3-client.ts';
import { openBucket } from './s3-client.ts';
import { isMissing, isTaken, unavailable } from './s3-errors.ts';
import { createS3Links } from './s3-links.ts';

export interface S3StoreDeps {
  readonly settings: S3Settings;
  readonly clock: Clock;
  readonly random: Random;
  /** How long one answer may take, in milliseconds; fifteen seconds by default. */
  readonly requestTimeoutMs?: number;
}

/**
 * Objects in a bucket of S3, or of a server that speaks it. The digest of the bytes travels with them, so
 * that the server refuses what was damaged on the way, and is kept as metadata for `head`.
 *
 * That of two writers one wins is the server's doing (`If-None-Match`). One that cannot do that is looked at
 * before each write instead, which is enough as long as nobody else writes the very same key at that moment.
 *
 * Rejects with a `StartError` when the bucket does not answer, is not there, or may not be read, written,
 * listed and deleted in. Disposing closes the connections.
 */
export async function openS3Store(deps: S3StoreDeps): Promise<ObjectStore> {
  const { settings, clock, random, requestTimeoutMs } = deps;
  const bucket = openBucket(settings, requestTimeoutMs);
  try {
    const { isConditional } = await prepareBucket(bucket, settings, random);
    return {
      put: (key, bytes, options) => put(bucket, key, { bytes, options, isConditional }),
      open: (key) => openObject(bucket, key),
      head: (key) => headObject(bucket, key),
      delete: (key) => deleteObject(bucket, key),
      list: (prefix) => listObjects(bucket, prefix),
      signGet: createS3Links(bucket, settings, clock),
      [Symbol.asyncDispose]: async () => bucket.client.destroy(),
    };
  } catch (error) {
    bucket.client.destroy();
    throw error;
  }
}

interface Content {
  readonly bytes: Uint8Array;
  readonly options: PutOptions;
  /** Whether the server knows `If-None-Match`. */
  readonly isConditional: boolean;
}

async function put(bucket: Bucket, key: string, content: Content): Promise<StoredObject> {
  checkKey(key);
  const { bytes, options, isConditional } = content;
  checkContentType(options.contentType);
  if (!isConditional && (await headObject(bucket, key)) !== null) throw taken(key);
  const sha256 = createHash('sha256').update(bytes).digest();
  try {
    const stored = await bucket.client.send(
      new PutObjectCommand({
        Bucket: bucket.name,
        Key: key,
        Body: bytes,
        ContentLength: bytes.length,
        ContentType: options.contentType,
        ChecksumSHA256: sha256.toString('base64'),
        Metadata: { sha256: sha256.toString('hex') },
        ...(isConditional && { IfNoneMatch: '*' }),
      }),
    );
    if ((stored.ChecksumSHA256 ?? sha256.toString('base64')) !== sha256.toString('base64')) {
      throw new ObjectError('UNAVAILABLE', 'The object store has kept other bytes than it was sent.');
    }
  } catch (error) {
    throw isTaken(error) ? taken(key, error) : unavailable(error);
  }
  return { size: bytes.length, sha256: sha256.toString('hex') };
}

function taken(key: string, cause?: unknown): ObjectError {
  return new ObjectError('ALREADY_EXISTS', `Object ${key} exists already.`, { cause });
}

async function openObject(bucket: Bucket, key: string): Promise<OpenedObject | null> {
  checkKey(key);
  try {
    const answer = await bucket.client.send(new GetObjectCommand({ Bucket: bucket.name, Key: key }));
    const stream = answer.Body instanceof Readable ? answer.Body : Readable.from([]);
    return { ...toHead(answer), stream };
  } catch (error) {
    if (isMissing(error)) return null;
    throw unavailable(error);
  }
}

async function headObject(bucket: Bucket, key: string): Promise<ObjectHead | null> {
  checkKey(key);
  try {
    return toHead(await bucket.client.send(new HeadObjectCommand({ Bucket: bucket.name, Key: key })));
  } catch (error) {
    if (isMissing(error)) return null;
    throw unavailable(error);
  }
}

type Described = Pick<HeadObjectCommandOutput, 'ContentLength' | 'ContentType' | 'Metadata'>;

function toHead({
  ContentLength: size,
  ContentType: contentType,
  Metadata: metadata,
}: Described): ObjectHead {
  const sha256 = metadata?.sha256;
  if (size === undefined || contentType === undefined || sha256 === undefined) {
    throw new ObjectError('UNAVAILABLE', 'The object was put into the bucket by another program.', {
      retryable: false,
    });
  }
  return { size, contentType, sha256 };
}

async function deleteObject(bucket: Bucket, key: string): Promise<void> {
  checkKey(key);
  try {
    await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.name, Key: key }));
  } catch (error) {
    if (!isMissing(error)) throw unavailable(error);
  }
}

async function* listObjects(bucket: Bucket, prefix: string): AsyncGenerator<ListedObject> {
  checkPrefix(prefix);
  let token: string | undefined;
  do {
    const page = await listPage(bucket, prefix, token);
    for (const { Key: key, Size: size, LastModified: modifiedAt } of page.Contents ?? []) {
      if (key !== undefined && size !== undefined && modifiedAt !== undefined)
        yield { key, size, modifiedAt };
    }
    token = page.NextContinuationToken;
  } while (token !== undefined);
}

async function listPage({ client, name }: Bucket, prefix: string, token: string | undefined) {
  try {
    return await client.send(
      new ListObjectsV2Command({
        Bucket: name,
        Prefix: prefix,
        ...(token !== undefined && { ContinuationToken: token }),
      }),
    );
  } catch (error) {
    throw unavailable(error);
  }
}
