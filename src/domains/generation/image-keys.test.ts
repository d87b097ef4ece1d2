import { describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { createIds } from '../../kernel/ids.ts';
import { systemRandom } from '../../kernel/random.ts';
import { parseImageKey, toImageKeys } from './image-keys.ts';

const newId = createIds(systemClock, systemRandom);

describe('the keys of pictures', () => {
  it('tell which attempt made them', () => {
    const attempt = { tenantId: newId('tenant'), jobId: newId('job'), fence: 12 };
    const { objectKey, thumbnailKey } = toImageKeys(attempt, { id: newId('image'), extension: 'png' });
    expect(objectKey).toMatch(/\/12\/img_\w+\.png$/);
    expect(parseImageKey(objectKey)).toEqual(attempt);
    expect(parseImageKey(thumbnailKey)).toEqual(attempt);
  });

  it('are no others', () => {
    const [tenant, job] = [newId('tenant'), newId('job')];
    for (const key of [
      '',
      'probe/0123',
      `${tenant}/${job}/1`,
      `${tenant}/${job}/0/a.png`,
      `${tenant}/${job}/1/2/a.png`,
      `${tenant}/${job}/x/a.png`,
      `${job}/${tenant}/1/a.png`,
    ]) {
      expect(parseImageKey(key)).toBeNull();
    }
  });
});
