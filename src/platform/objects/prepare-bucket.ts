import { createHash } from 'node:crypto';
import {
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { StartError } from '../../kernel/errors.ts';
import type { Random } from '../../kernel/random.ts';
import type { Bucket, S3Settings } from './s3-client.ts';
import { isTaken, refusalOf } from './s3-errors.ts';

/** What the server behind a bucket can do. */
export interface BucketAbilities {
  /** Whether it keeps a second writer from replacing an object. */
  readonly isConditional: boolean;
}

/**
 * Proves that objects can be written, read, listed and deleted in the bucket, with one that is gone again
 * afterwards. Rejects with a `StartError` that says which setting to look at.
 */
export async function prepareBucket(
  bucket: Bucket,
  { endpoint }: S3Settings,
  random: Random,
): Promise<BucketAbilities> {
  const key = `probe/${Buffer.from(random.bytes(16)).toString('hex')}`;
  try {
    const isConditional = await probeWrites(bucket, key);
    const object = { Bucket: bucket.name, Key: key };
    await bucket.client.send(new HeadObjectCommand(object));
    await bucket.client.send(new ListObjectsV2Command({ Bucket: bucket.name, Prefix: key, MaxKeys: 1 }));
    await bucket.client.send(new DeleteObjectCommand(object));
    return { isConditional };
  } catch (error) {
    throw new StartError(
      `Pictures cannot be stored in the bucket "${bucket.name}" at ${new URL(endpoint).host}: ${adviceOn(error)}`,
      { cause: error },
    );
  }
}

/** Writes the object twice; whether the second write was kept from replacing the first. */
async function probeWrites(bucket: Bucket, key: string): Promise<boolean> {
  try {
    await writeProbe(bucket, key, { IfNoneMatch: '*' });
  } catch (error) {
    // What some servers say to a condition that they do not know.
    if (refusalOf(error).status !== 501) throw error;
    await writeProbe(bucket, key, {});
    return false;
  }
  try {
    await writeProbe(bucket, key, { IfNoneMatch: '*' });
    return false;
  } catch (error) {
    if (isTaken(error)) return true;
    throw error;
  }
}

async function writeProbe(
  { client, name }: Bucket,
  key: string,
  condition: { readonly IfNoneMatch?: '*' },
): Promise<void> {
  const body = new Uint8Array(1);
  await client.send(
    new PutObjectCommand({
      Bucket: name,
      Key: key,
      Body: body,
      ContentLength: body.length,
      ChecksumSHA256: createHash('sha256').update(body).digest('base64'),
      ...condition,
    }),
  );
}

function adviceOn(error: unknown): string {
  const { status, code } = refusalOf(error);
  if (status === null) return `it does not answer (${code}). Check S3_ENDPOINT.`;
  if (code === 'NoSuchBucket') return 'there is no such bucket. Make it, or check S3_BUCKET.';
  if (status === 401 || status === 403) {
    return (
      `it answers ${code}. Check S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY and S3_REGION, that the bucket is ` +
      'there, and that the key may get, put and delete its objects and list them.'
    );
  }
  return `it answers ${code}. Check S3_ENDPOINT, S3_REGION and S3_BUCKET.`;
}
