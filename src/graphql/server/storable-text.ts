import type { ValidationRule } from 'graphql';
import { GraphQLError } from 'graphql';

// GraphQL's String holds both; Postgres holds neither, nor does UTF-8 hold the second.
function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/**
 * Where `value` holds text with a NUL or half of a surrogate pair, as a path like
 * `input.metadata.0.key`, or null. Takes any JSON value, whatever its depth, and looks at keys too.
 */
export function findUnstorable(value: unknown): string | null {
  const left: [path: string, value: unknown][] = [['', value]];
  for (let next = left.pop(); next; next = left.pop()) {
    const [path, each] = next;
    if (typeof each === 'string' && !isStorable(each)) return path;
    if (typeof each !== 'object' || each === null) continue;
    for (const [key, inner] of Object.entries(each)) {
      if (!isStorable(key)) return path;
      left.push([path === '' ? key : `${path}.${key}`, inner]);
    }
  }
  return null;
}

export function unstorableText(where: string): GraphQLError {
  return new GraphQLError(
    `${where} holds a NUL or half of a surrogate pair. Text must be valid Unicode without NUL.`,
    {
      extensions: { code: 'BAD_USER_INPUT' },
    },
  );
}

/** Refuses such text where it is written into the document. */
export const storableTextRule: ValidationRule = (context) => ({
  StringValue(node) {
    if (isStorable(node.value)) return;
    const { message } = unstorableText('A string in the document');
    context.reportError(new GraphQLError(message, { nodes: node }));
  },
});
