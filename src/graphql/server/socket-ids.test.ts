import { describe, expect, it } from 'vitest';
import { createSocketIds } from './socket-ids.ts';

const idOf = (text: string): unknown => JSON.parse(text).id;
const subscribe = (id: string) => JSON.stringify({ id, type: 'subscribe', payload: { query: '{ a }' } });
const complete = (id: string) => JSON.stringify({ type: 'complete', id });
const next = (id: unknown) => JSON.stringify({ id, type: 'next', payload: { data: 1 } });

describe('the ids of a socket', () => {
  it('are the client’s to the client, and never the same twice to the protocol', () => {
    const ids = createSocketIds();
    const seen = ['a', 'b', '1:a', '"}{', 'é\ud800'].map((id) => {
      const own = idOf(ids.incoming(subscribe(id)));
      expect(ids.outgoing(next(own))).toBe(next(id));
      return own;
    });
    ids.incoming(complete('a'));
    expect(new Set([...seen, idOf(ids.incoming(subscribe('a')))]).size).toBe(seen.length + 1);
  });

  it('stay as they are while they are in use', () => {
    const ids = createSocketIds();
    const own = idOf(ids.incoming(subscribe('a')));
    expect(idOf(ids.incoming(subscribe('a')))).toBe(own);
    expect(idOf(ids.incoming(complete('a')))).toBe(own);
    expect(idOf(ids.incoming(complete('a')))).not.toBe(own);
  });

  it.each(['complete', 'error'])('are free once the client is told %s', (type) => {
    const ids = createSocketIds();
    const own = idOf(ids.incoming(subscribe('a')));
    expect(ids.outgoing(JSON.stringify({ id: own, type, payload: [] }))).toContain('{"id":"a"');
    expect(idOf(ids.incoming(subscribe('a')))).not.toBe(own);
  });

  it('bring nothing of an operation that the client has ended to the next one of its id', () => {
    const ids = createSocketIds();
    const own = idOf(ids.incoming(subscribe('a')));
    ids.incoming(complete('a'));
    const again = idOf(ids.incoming(subscribe('a')));
    expect(ids.outgoing(next(own))).toBeNull();
    expect(ids.outgoing(next(again))).toBe(next('a'));
  });

  it('are put into a message whatever else it holds, and other messages are left alone', () => {
    const ids = createSocketIds();
    const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
    expect(idOf(ids.incoming(`{"id":"a","type":"subscribe","payload":{"x":${deep}}} \n`))).toBe('1:a');
    for (const text of [
      '',
      '{',
      'null',
      '7',
      '[]',
      '{"type":"ping"}',
      '{"type":"subscribe"}',
      '{"type":"subscribe","id":""}',
    ]) {
      expect(ids.incoming(text)).toBe(text);
    }
    for (const text of ['{"type":"connection_ack"}', '{"type":"pong"}'])
      expect(ids.outgoing(text)).toBe(text);
  });
});
