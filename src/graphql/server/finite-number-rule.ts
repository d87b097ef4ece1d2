import type { FloatValueNode, IntValueNode, ValidationRule } from 'graphql';
import { GraphQLError } from 'graphql';

/**
 * Refuses numbers in the document that are too large for a double. GraphQL's Float refuses Infinity
 * as a variable and yet takes the literal `1e999` for it.
 */
export const finiteNumberRule: ValidationRule = (context) => {
  const check = (node: IntValueNode | FloatValueNode) => {
    if (Number.isFinite(Number(node.value))) return;
    context.reportError(new GraphQLError('A number in the document is too large.', { nodes: node }));
  };
  return { IntValue: check, FloatValue: check };
};
