import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { TinyApi } from '../../test/support/tiny-api.ts';
import { fileOf, startTinyApi, TINY_KEY } from '../../test/support/tiny-api.ts';
import type { ClientOptions, JobEvent, Timing } from './index.ts';
import { createClient, DarkroomError, DarkroomUserErrors } from './index.ts';
import { systemTiming } from './timing.ts';

const impatient: Timing = {
  // Still a turn of the event loop, so that a loop without an end shows as a timeout.
  sleep: (_ms, signal) => systemTiming.sleep(0, signal),
  chance: () => 0.5,
};

const clientOf = ({ api }: Pick<TinyApi, 'api'>, more: Partial<ClientOptions> = {}) =>
  createClient({ api, apiKey: TINY_KEY, timing: impatient, ...more });

async function submit(api: TinyApi) {
  const client = clientOf(api);
  const { id } = await client.submitJob({ prompt: 'a red apple' });
  return { client, id };
}

/** Reads until `count` events have come, and leaves the rest for later. */
async function take(events: AsyncIterator<JobEvent>, count: number): Promise<JobEvent[]> {
  const taken: JobEvent[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done === true) break;
    taken.push(value);
  }
  return taken;
}

const sequences = (events: readonly JobEvent[]) => events.map(({ sequence }) => sequence);

describe('the client', () => {
  it('submits, asks for, and cancels a job', async () => {
    await using api = await startTinyApi();
    const client = clientOf(api);
    const job = await client.submitJob({ prompt: 'a red apple', seed: '18446744073709551615' });
    expect(job).toMatchObject({ prompt: 'a red apple', seed: '18446744073709551615', state: 'RUNNING' });
    expect(await client.job(job.id)).toEqual(job);
    expect(await client.job('job_other')).toBeNull();
    expect(await client.cancelJob(job.id)).toMatchObject({ state: 'CANCELLED' });
    expect(api.cancelled).toEqual([job.id]);
    expect(await client.variants()).toEqual([]);
  });

  it('throws every refusal of the input at once', async () => {
    await using api = await startTinyApi();
    api.refusal = [
      { code: 'INVALID_INPUT', field: ['steps'], message: 'At least 1.' },
      { code: 'INVALID_INPUT', field: ['metadata', '0', 'key'], message: 'Too long.' },
    ];
    const submitting = clientOf(api).submitJob({ prompt: 'x' });
    await expect(submitting).rejects.toThrow(DarkroomUserErrors);
    await expect(submitting).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      field: ['steps'],
      errors: api.refusal,
    });
  });

  it("throws the API's own code, with when to try again", async () => {
    await using api = await startTinyApi();
    api.failure = { code: 'RATE_LIMITED', retryAfterMs: 1_500 };
    await expect(clientOf(api).submitJob({ prompt: 'x' })).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterMs: 1_500,
      status: 200,
    });
    await expect(clientOf(api, { apiKey: 'dk_live_wrong' }).variants()).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      status: 401,
    });
  });

  it('says when no answer came, none in time, and when it was not a GraphQL answer', async () => {
    await expect(clientOf({ api: 'http://127.0.0.1:1/graphql' }).viewer()).rejects.toMatchObject({
      code: 'UNREACHABLE',
    });
    await using other = await startOther();
    await expect(clientOf(other).viewer()).rejects.toMatchObject({ code: 'BAD_ANSWER', status: 502 });
    other.isSilent = true;
    const inTime = clientOf(other, { requestTimeoutMs: 20 });
    await expect(inTime.viewer()).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  it('refuses an address that is none', () => {
    for (const api of ['', 'localhost:4000', 'ftp://a/b']) {
      expect(() => createClient({ api, apiKey: 'k' })).toThrow(TypeError);
    }
  });
});

describe('following a job', () => {
  it('tells every event and ends after the last', async () => {
    await using api = await startTinyApi();
    const { client, id } = await submit(api);
    const events = Array.fromAsync(client.followJob(id));
    await api.followed(1);
    api.emit('STARTED', 0);
    for (let step = 1; step <= 20; step++) api.emit('STEP', step);
    api.emit('IMAGE', 20);
    api.emit('COMPLETED', 20);
    expect((await events).map(({ type }) => type)).toEqual([
      'QUEUED',
      'STARTED',
      ...Array.from({ length: 20 }, () => 'STEP'),
      'IMAGE',
      'COMPLETED',
    ]);
  });

  it('begins after the event that the caller already has', async () => {
    await using api = await startTinyApi();
    const { client, id } = await submit(api);
    api.emit('STARTED');
    api.emit('COMPLETED');
    expect(sequences(await Array.fromAsync(client.followJob(id, { after: 1 })))).toEqual([2, 3]);
  });

  it.each([
    ['is cut off', (api: TinyApi) => api.cut()],
    ['is closed because the server goes away', (api: TinyApi) => api.cut(1001)],
    ['is closed as if all were done', (api: TinyApi) => api.cut(1000)],
    ['is completed by a server that stops', (api: TinyApi) => api.complete()],
  ])('goes on where it was when the socket %s, without a gap or a duplicate', async (_name, lose) => {
    await using api = await startTinyApi();
    api.overlap = 2;
    const { client, id } = await submit(api);
    const events = client.followJob(id)[Symbol.asyncIterator]();
    const seen: JobEvent[] = await take(events, 1);
    for (let round = 1; round <= 3; round++) {
      api.emit('STEP', round * 2);
      api.emit('STEP', round * 2 + 1);
      seen.push(...(await take(events, 2)));
      // Asked for before the loss: whoever does not read need not notice.
      const next = take(events, 1);
      lose(api);
      await api.followed(round + 1);
      api.emit('STEP', round * 2 + 1);
      seen.push(...(await next));
    }
    api.emit('COMPLETED');
    seen.push(...(await take(events, 9)));
    expect(sequences(seen)).toEqual(Array.from({ length: seen.length }, (_, index) => index + 1));
    expect(seen.at(-1)?.type).toBe('COMPLETED');
    expect(api.subscribed).toEqual([null, 3, 6, 9]);
    expect(api.connections()).toBe(4);
  });

  it('notices a connection that has died without a word', async () => {
    await using api = await startTinyApi();
    const { id } = await submit(api);
    const watchful = clientOf(api, {
      pingEveryMs: 10,
      timing: { ...systemTiming, sleep: (ms, signal) => systemTiming.sleep(Math.min(ms, 200), signal) },
    });
    const events = watchful.followJob(id)[Symbol.asyncIterator]();
    await take(events, 1);
    api.freeze();
    const next = take(events, 1);
    await api.followed(2);
    api.emit('COMPLETED');
    expect(sequences(await next)).toEqual([2]);
  });

  it('tries again when the API is unavailable for a while, and waits as long as it is told', async () => {
    await using api = await startTinyApi();
    const { id } = await submit(api);
    api.failure = { code: 'UNAVAILABLE', retryAfterMs: 60_000 };
    const waits: number[] = [];
    const client = clientOf(api, {
      timing: {
        ...impatient,
        sleep: (ms, signal) => {
          if (waits.push(ms) === 3) api.failure = null;
          return impatient.sleep(ms, signal);
        },
      },
    });
    api.emit('COMPLETED');
    expect(sequences(await Array.fromAsync(client.followJob(id)))).toEqual([1, 2]);
    expect(waits).toEqual([60_000, 60_000, 60_000]);
  });

  it('reads no further ahead than it can hold, and loses nothing of what it has left', async () => {
    await using api = await startTinyApi();
    const { id } = await submit(api);
    const COUNT = 4_000;
    const slow = clientOf(api, { timing: systemTiming }).followJob(id)[Symbol.asyncIterator]();
    const seen = await take(slow, 1);
    for (let step = 1; step <= COUNT; step++) api.emit('PREVIEW', step);
    api.emit('COMPLETED');
    // In the time that it takes another to read all of it.
    expect(await Array.fromAsync(clientOf(api).followJob(id))).toHaveLength(COUNT + 2);
    expect(api.told[0]).toBeLessThan(COUNT / 2);
    seen.push(...(await take(slow, COUNT + 1)));
    expect(sequences(seen)).toEqual(Array.from({ length: COUNT + 2 }, (_, index) => index + 1));
    expect(api.subscribed).toEqual([null, null]);
  });

  it('can be left while it does not read', async () => {
    await using api = await startTinyApi();
    const { client, id } = await submit(api);
    for (let step = 1; step <= 1_000; step++) api.emit('PREVIEW', step);
    const slow = client.followJob(id)[Symbol.asyncIterator]();
    await take(slow, 1);
    await expect.poll(() => api.told[0]).toBeGreaterThan(256);
    await slow.return?.();
    await expect.poll(() => api.sockets()).toBe(0);
  });

  it('is RATE_LIMITED when the key has too many sockets, after it has tried for a while', async () => {
    await using api = await startTinyApi();
    const { client, id } = await submit(api);
    let isOver = false;
    const following = Array.fromAsync(client.followJob(id)).finally(() => {
      isOver = true;
    });
    const settled = following.catch(() => undefined);
    for (let count = 1; !isOver; count++) {
      await Promise.race([api.followed(count), settled]);
      api.cut(4429);
    }
    await expect(following).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('gives up in the end, after growing pauses', async () => {
    const waits: number[] = [];
    const timing: Timing = { chance: () => 0, sleep: (ms) => Promise.resolve(void waits.push(ms)) };
    const client = clientOf({ api: 'http://127.0.0.1:1/graphql' }, { timing });
    await expect(Array.fromAsync(client.followJob('job_x'))).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(waits.slice(0, 4)).toEqual([125, 250, 500, 1_000]);
    expect(Math.max(...waits)).toBe(7_500);
    expect(waits.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(5 * 60_000);
  });

  it('does not insist on what will not change: an unknown job, a wrong key', async () => {
    await using api = await startTinyApi();
    const unknown = Array.fromAsync(clientOf(api).followJob('job_other'));
    await expect(unknown).rejects.toThrow(DarkroomError);
    await expect(unknown).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const wrong = Array.fromAsync(clientOf(api, { apiKey: 'dk_live_wrong' }).followJob('job_tiny'));
    await expect(wrong).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(api.subscribed).toHaveLength(1);
  });

  it("ends with the caller's own reason when the signal fires, also before it began", async () => {
    await using api = await startTinyApi();
    const { client, id } = await submit(api);
    const [stop, reason] = [new AbortController(), new Error('enough')];
    const events = Array.fromAsync(client.followJob(id, { signal: stop.signal }));
    await api.followed(1);
    stop.abort(reason);
    await expect(events).rejects.toBe(reason);
    await expect(Array.fromAsync(client.followJob(id, { signal: stop.signal }))).rejects.toBe(reason);
    expect(api.subscribed).toHaveLength(1);
  });
});

describe('downloading', () => {
  const image = { url: '', sha256: '' };

  it('returns the file that the digest names', async () => {
    await using api = await startTinyApi();
    const { client, id } = await submit(api);
    api.emit('COMPLETED');
    const job = await client.job(id);
    const bytes = await client.download(job?.images[0] ?? image);
    expect(Buffer.from(bytes)).toEqual(fileOf(0));
  });

  it('says of a picture that is kept no longer that it has expired, and asks nobody', async () => {
    await using api = await startTinyApi();
    const download = clientOf(api).download({ ...image, url: null });
    await expect(download).rejects.toMatchObject({ code: 'EXPIRED', status: undefined });
  });

  it('refuses another file, a larger one than allowed, and an answer without one', async () => {
    await using api = await startTinyApi();
    const { client, id } = await submit(api);
    api.emit('COMPLETED');
    const picture = (await client.job(id))?.images[0] ?? image;
    api.file = Buffer.from('png1');
    await expect(client.download(picture)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    api.file = Buffer.alloc(101);
    const modest = clientOf(api, { downloadBytesMax: 100 });
    await expect(modest.download(picture)).rejects.toMatchObject({ code: 'TOO_LARGE' });
    await using other = await startOther();
    await expect(client.download({ ...picture, url: other.api })).rejects.toMatchObject({
      code: 'BAD_ANSWER',
      status: 502,
    });
  });
});

/** A web server that is not Darkroom. */
async function startOther() {
  const server = createServer((_, response) => {
    if (!other.isSilent) response.writeHead(502).end('<html>Bad gateway</html>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const other = {
    api: `http://127.0.0.1:${port}/`,
    isSilent: false,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return other;
}
