import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteSize, decodeTensor, encodeTensor, parseDatatype } from './tensors.ts';

describe('tensors', () => {
  it('come back bit for bit from raw bytes, wherever in a message those start', () => {
    fc.assert(
      fc.property(fc.float32Array(), fc.nat({ max: 9 }), (data, offset) => {
        const message = new Uint8Array(offset + data.byteLength);
        message.set(encodeTensor(data), offset);
        const decoded = decodeTensor('FP32', [data.length], message.subarray(offset));
        expect(decoded && encodeTensor(decoded)).toEqual(encodeTensor(data));
      }),
    );
  });

  it('are little-endian on the wire', () => {
    expect([...encodeTensor(Int32Array.of(1, -2))]).toEqual([1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff]);
    expect([...encodeTensor(Float32Array.of(1))]).toEqual([0, 0, 0x80, 0x3f]);
    expect(decodeTensor('INT64', [1], Uint8Array.of(0, 1, 0, 0, 0, 0, 0, 0))).toEqual(BigInt64Array.of(256n));
    expect(decodeTensor('FP16', [1], Uint8Array.of(0, 0x3c))).toEqual(Uint16Array.of(0x3c00));
    expect(decodeTensor('BOOL', [2], Uint8Array.of(0, 1))).toEqual(Uint8Array.of(0, 1));
  });

  it('encode the elements of a view, not those around it', () => {
    expect([...encodeTensor(Uint8Array.of(1, 2, 3, 4).subarray(1, 3))]).toEqual([2, 3]);
  });

  it('are null when the bytes are not those of type and shape', () => {
    expect(decodeTensor('FP32', [2, 2], new Uint8Array(15))).toBeNull();
    expect(decodeTensor('FP32', [2, 2], new Uint8Array(17))).toBeNull();
    expect(decodeTensor('FP32', [2, 2], new Uint8Array())).toBeNull();
    expect(decodeTensor('FP32', [], new Uint8Array(4))).toHaveLength(1);
  });

  it('know the types that they can carry', () => {
    expect(['FP32', 'UINT8', 'BYTES', '', 'fp32'].map(parseDatatype)).toEqual([
      'FP32',
      'UINT8',
      null,
      null,
      null,
    ]);
    expect(byteSize('INT64', [8, 77])).toBe(4_928);
  });
});
