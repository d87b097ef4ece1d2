import type { ValueNode } from 'graphql';
import { GraphQLError, GraphQLScalarType, Kind, print } from 'graphql';

export const Url = new GraphQLScalarType<string, string>({
  name: 'Url',
  serialize: (value) => parseUrl(String(value)),
  parseValue(value) {
    if (typeof value !== 'string') throw refusal(typeof value);
    return parseUrl(value);
  },
  parseLiteral(node) {
    if (node.kind !== Kind.STRING) throw refusal(print(node), node);
    return parseUrl(node.value, node);
  },
});

function parseUrl(text: string, node?: ValueNode): string {
  if (!URL.canParse(text)) throw refusal(text, node);
  return text;
}

function refusal(given: string, node?: ValueNode): GraphQLError {
  return new GraphQLError(`A Url is absolute, like "https://example.com/a", not ${given.slice(0, 80)}.`, {
    nodes: node ?? null,
  });
}
