import type { ValueNode } from 'graphql';
import { GraphQLError, GraphQLScalarType, Kind, print } from 'graphql';

const DIGITS = /^(?:0|[1-9][0-9]{0,19})$/;
const SEED_MAX = 2n ** 64n - 1n;

export const Seed = new GraphQLScalarType<bigint, string>({
  name: 'Seed',
  serialize: (value) => parseSeed(String(value)),
  parseValue(value) {
    // A number beyond 2^53 was rounded by the JSON parser before it got here: another seed than was sent.
    if (typeof value === 'number' && !Number.isSafeInteger(value)) throw refusal(String(value));
    if (typeof value !== 'number' && typeof value !== 'string') throw refusal(typeof value);
    return BigInt(parseSeed(String(value)));
  },
  parseLiteral(node) {
    if (node.kind !== Kind.INT && node.kind !== Kind.STRING) throw refusal(print(node), node);
    return BigInt(parseSeed(node.value, node));
  },
});

function parseSeed(text: string, node?: ValueNode): string {
  if (!DIGITS.test(text) || BigInt(text) > SEED_MAX) throw refusal(text, node);
  return text;
}

function refusal(given: string, node?: ValueNode): GraphQLError {
  return new GraphQLError(
    `A Seed is a whole number from 0 to ${SEED_MAX} without leading zeros, as a string, not ${given.slice(0, 40)}. ` +
      'As a JSON number it must be below 2^53.',
    { nodes: node ?? null },
  );
}
