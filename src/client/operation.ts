import type { DocumentNode } from 'graphql';

/** A document that knows what it takes and gives, in the form that the code generator writes. */
export type Operation<Result, Variables> = DocumentNode & {
  readonly __apiType?: (variables: Variables) => Result;
};
