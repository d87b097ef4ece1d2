import type { ValueNode } from 'graphql';
import { GraphQLError, GraphQLScalarType, Kind, print } from 'graphql';

// Of the hours 0 to 23: `Date` takes 24:00 for the next day, of which the text says nothing.
const ISO = /^\d{4}-\d{2}-\d{2}T(?:[01]\d|2[0-3]):\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

export const DateTime = new GraphQLScalarType<Date, string>({
  name: 'DateTime',
  serialize(value) {
    if (!(value instanceof Date)) throw new TypeError('A DateTime is given out from a Date.');
    return value.toISOString();
  },
  parseValue(value) {
    if (typeof value !== 'string') throw refusal(typeof value);
    return parseDateTime(value);
  },
  parseLiteral(node) {
    if (node.kind !== Kind.STRING) throw refusal(print(node), node);
    return parseDateTime(node.value, node);
  },
});

function parseDateTime(text: string, node?: ValueNode): Date {
  const at = new Date(ISO.test(text) ? text : Number.NaN);
  if (!isInRange(at) || !isOnCalendar(text)) throw refusal(text, node);
  return at;
}

// In UTC, whatever the offset: the years that ISO 8601 writes with four digits and Postgres knows.
function isInRange(at: Date): boolean {
  const year = at.getUTCFullYear();
  return year >= 1 && year <= 9999;
}

// `Date` takes the 31st of February for the 3rd of March. A day that exists is one that comes back.
function isOnCalendar(text: string): boolean {
  const day = text.slice(0, 'yyyy-mm-dd'.length);
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);
}

function refusal(given: string, node?: ValueNode): GraphQLError {
  return new GraphQLError(
    'A DateTime is ISO 8601 with an offset and of the years 1 to 9999, like "2026-03-01T09:30:00.000Z", ' +
      `not ${given.slice(0, 40)}.`,
    { nodes: node ?? null },
  );
}
