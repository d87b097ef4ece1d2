import { ApolloArmor } from '@escape.tech/graphql-armor';
import type {
  DocumentNode,
  ExecutionArgs,
  GraphQLSchema,
  OperationDefinitionNode,
  ValidationContext,
  ValidationRule,
} from 'graphql';
import {
  getOperationAST,
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import { costRule } from './cost-rule.ts';
import { finiteNumberRule } from './finite-number-rule.ts';
import { LIMITS } from './limits.ts';
import { findUnstorable, storableTextRule, unstorableText } from './storable-text.ts';

/** HTTP runs queries and mutations, the WebSocket runs subscriptions. */
export type Door = 'HTTP' | 'WEBSOCKET';

/** An operation as a client sends it. */
export interface OperationRequest {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
}

export type Prepared = Pick<ExecutionArgs, 'document' | 'operationName' | 'variableValues'>;

/**
 * What stands before both doors, so that neither lets in what the other refuses. Apollo takes the
 * rules and limits as options and asks `refuse`; the WebSocket, where none of Apollo applies, asks
 * `prepare`, which is all of it.
 */
export interface Guard {
  readonly rules: readonly ValidationRule[];
  readonly parseOptions: { readonly maxTokens: number };
  readonly validationOptions: { readonly maxErrors: number };
  readonly executionOptions: { readonly maxCoercionErrors: number };
  /** Why a valid operation may not run at this door, or null. */
  refuse(door: Door, operation: OperationDefinitionNode | null, variables: unknown): GraphQLError | null;
  /** Parses, validates and checks; nothing of a refused operation has run. */
  prepare(door: Door, request: OperationRequest): Prepared | readonly GraphQLError[];
}

export function createGuard(
  schema: GraphQLSchema,
  { introspection }: { readonly introspection: boolean },
): Guard {
  const rules = [
    ...(introspection ? [] : [NoSchemaIntrospectionCustomRule]),
    ...armorRules(),
    costRule(LIMITS.costMax),
    storableTextRule,
    finiteNumberRule,
  ];
  const parseOptions = { maxTokens: LIMITS.tokensMax };
  const validationOptions = { maxErrors: LIMITS.errorsMax };
  return {
    rules,
    parseOptions,
    validationOptions,
    executionOptions: { maxCoercionErrors: LIMITS.errorsMax },
    refuse,
    prepare(door, { query, operationName, variables }) {
      const document = tryParse(query, parseOptions);
      if (document instanceof GraphQLError) return [document];
      const errors = validate(schema, document, [...specifiedRules, ...rules], validationOptions);
      if (errors.length > 0) return errors.map((error) => withCode(error, 'GRAPHQL_VALIDATION_FAILED'));
      const refused = refuse(door, getOperationAST(document, operationName) ?? null, variables);
      if (refused) return [refused];
      return { document, operationName: operationName ?? null, variableValues: variables ?? {} };
    },
  };
}

/** Depth, alias and directive limits. Its cost rule is left out: it knows no page size in a variable. */
function armorRules(): readonly ValidationRule[] {
  const report = { propagateOnRejection: false, onReject: [reportLimit] };
  const { validationRules } = new ApolloArmor({
    maxDepth: { n: LIMITS.depthMax, ...report },
    // Its default exempts `__typename`, a thousand of which are a thousand fields all the same.
    maxAliases: { n: LIMITS.aliasesMax, allowList: [], ...report },
    maxDirectives: { n: LIMITS.directivesMax, ...report },
    costLimit: { enabled: false },
    maxTokens: { enabled: false },
    blockFieldSuggestion: { enabled: false },
  }).protect();
  return validationRules;
}

// Its own report calls a limit a syntax error and invalid input.
function reportLimit(context: ValidationContext | null, { message }: GraphQLError): void {
  context?.reportError(new GraphQLError(message.replace(/^Syntax Error: /, '')));
}

function refuse(
  door: Door,
  operation: OperationDefinitionNode | null,
  variables: unknown,
): GraphQLError | null {
  if (!operation) {
    return refusal(
      'OPERATION_RESOLUTION_FAILURE',
      'Name one of the operations of the document in "operationName".',
    );
  }
  const where = findUnstorable(variables);
  if (where !== null) return unstorableText(`"${where}"`);
  const wanted = operation.operation === 'subscription' ? 'WEBSOCKET' : 'HTTP';
  if (wanted === door) return null;
  const how = {
    HTTP: 'Send queries and mutations by HTTP POST.',
    WEBSOCKET: 'Send subscriptions by WebSocket.',
  };
  return refusal('BAD_REQUEST', `A ${operation.operation} does not run here. ${how[wanted]}`);
}

function tryParse(query: string, options: { readonly maxTokens: number }): DocumentNode | GraphQLError {
  try {
    return parse(query, options);
  } catch (error) {
    return error instanceof GraphQLError
      ? withCode(error, 'GRAPHQL_PARSE_FAILED')
      : refusal('BAD_REQUEST', 'Not GraphQL.');
  }
}

function refusal(code: string, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}

function withCode(error: GraphQLError, code: string): GraphQLError {
  const { message, nodes, source, positions } = error;
  return new GraphQLError(message, {
    nodes: nodes ?? null,
    source: source ?? null,
    positions: positions ?? null,
    extensions: { code },
  });
}
