import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/domains/fleet/index.ts';
import { createFleet } from '../../src/domains/fleet/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createIds } from '../../src/kernel/ids.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type { Connection } from '../../src/platform/db/connect.ts';
import { connect } from '../../src/platform/db/connect.ts';
import { openDb } from '../../src/platform/db/index.ts';
import { createDatabase } from '../support/database.ts';

const newId = createIds(systemClock, systemRandom);
const stack = new AsyncDisposableStack();
let admin: Connection;
let fleet: Fleet;

beforeAll(async () => {
  const { adminUrl, urls } = stack.use(await createDatabase());
  admin = stack.use(await connect({ url: adminUrl, applicationName: 'test' }));
  const db = stack.adopt(openDb({ url: urls.dispatcher, poolMax: 4, applicationName: 'test' }), (each) =>
    each.$disconnect(),
  );
  fleet = createFleet({ db, newId });
});

afterAll(() => stack.disposeAsync());

beforeEach(async () => {
  await admin.query('delete from node');
  await fleet.add('one', 'grpc://127.0.0.1:1');
});

const holdOf = () => ({ holder: newId('dispatcher'), leaseMs: 60_000, leaseGraceMs: 0 });
const expire = () => admin.query(`update node set lease_until = now() - interval '1 s'`);

async function leaseRuns(): Promise<boolean> {
  const rows = await admin.query('select 1 from node where lease_until > now()');
  return rows.length > 0;
}

const ENGINE = {
  model: 'pico',
  version: 1,
  fingerprint: 'x',
  parts: ['unet', 'vae_decoder'],
  instances: 1,
  batchMax: 8,
};

describe('a node whose lease ran out', () => {
  it('goes on with its holder when nobody took it, without being taken anew', async () => {
    const mine = holdOf();
    const nodes = await fleet.hold([], mine);
    await expire();

    expect(await fleet.hold(nodes, mine)).toEqual([]);
    expect(await fleet.renew(nodes, mine)).toEqual(nodes.map(({ id }) => id));
    expect(await leaseRuns()).toBe(true);
  });

  it('is lost to its holder when somebody took it, also when it is free again', async () => {
    const [mine, yours] = [holdOf(), holdOf()];
    const before = await fleet.hold([], mine);
    await expire();
    expect(await fleet.hold([], yours)).toHaveLength(1);

    expect(await fleet.renew(before, mine)).toEqual([]);
    for (const node of before) await fleet.markReady(node, [ENGINE]);
    expect(await fleet.list()).toMatchObject([{ state: 'JOINING', engines: [], holder: yours.holder }]);
    await fleet.release(yours.holder);
    const again = await fleet.hold(before, mine);
    expect(again).toMatchObject([{ id: before[0]?.id }]);
    expect(await fleet.renew(before, mine)).toEqual([]);
    expect(await fleet.renew(again, mine)).toHaveLength(1);
  });
});

describe('a node whose lease ran out while the server was down', () => {
  it('is left to its holder for a while', async () => {
    const [mine, yours] = [holdOf(), holdOf()];
    const nodes = await fleet.hold([], mine);
    await expire();
    expect(await fleet.hold([], { ...yours, leaseGraceMs: 24 * 3_600_000 })).toEqual([]);
    expect(await fleet.renew(nodes, mine)).toHaveLength(1);
    await expire();
    expect(await fleet.hold([], yours)).toHaveLength(1);
  });
});

describe('a node that was taken by a hold whose answer was lost', () => {
  it('comes free by itself, although its holder renews its other nodes', async () => {
    const mine = holdOf();
    const known = await fleet.hold([], mine);
    await fleet.add('two', 'grpc://127.0.0.1:2');
    await fleet.hold(known, mine);
    await expire();

    expect(await fleet.renew(known, mine)).toHaveLength(1);
    expect(await fleet.hold(known, mine)).toMatchObject([{ name: 'two' }]);
  });
});

it('a ready node is listed with its engines and the models that these consist of', async () => {
  const [node] = await fleet.hold([], holdOf());
  if (!node) throw new Error('nothing was held');
  await fleet.markReady(node, [ENGINE, { ...ENGINE, version: 2, parts: ['unet', 'unet_cfg'] }]);

  expect(await fleet.list()).toMatchObject([
    { engines: ['pico:1', 'pico:2'], models: ['pico.unet', 'pico.unet_cfg', 'pico.vae_decoder'] },
  ]);
});

it('a node that is added again under another name is what it was, and its holder goes on', async () => {
  const hold = holdOf();
  const [node] = await fleet.hold([], hold);
  if (!node) throw new Error('nothing was held');
  await fleet.markReady(node, []);

  await fleet.add('another', node.address);

  expect(await fleet.list()).toMatchObject([{ name: 'another', state: 'READY', holder: hold.holder }]);
  expect(await fleet.renew([node], hold)).toEqual([node.id]);
});
