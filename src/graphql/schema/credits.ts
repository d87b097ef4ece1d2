import type { ValueNode } from 'graphql';
import { GraphQLError, GraphQLScalarType, Kind, print } from 'graphql';

export const Credits = new GraphQLScalarType<number, number>({
  name: 'Credits',
  serialize: (value) => parseCredits(value),
  parseValue: (value) => parseCredits(value),
  parseLiteral(node) {
    if (node.kind !== Kind.INT) throw refusal(print(node), node);
    return parseCredits(Number(node.value), node);
  },
});

function parseCredits(value: unknown, node?: ValueNode): number {
  // Beyond it a number stands for several: a balance that is told wrong is worse than one that is not told.
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw refusal(String(value), node);
  return value;
}

function refusal(given: string, node?: ValueNode): GraphQLError {
  return new GraphQLError(
    `Credits are a whole number from -(2^53 - 1) to 2^53 - 1, not ${given.slice(0, 40)}.`,
    { nodes: node ?? null },
  );
}
